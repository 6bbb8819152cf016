# SPDX-License-Identifier: MIT
fib() { if [ $1 -lt 2 ]; then echo $1; else echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); fi; }
echo "fib 9 = $(fib 9)"
case quire in q*) echo matched ;; *) echo not ;; esac
set -- a 'b c' d; for x in "$@"; do echo "[$x]"; done
x=hello; echo ${#x} ${x%lo} ${x#he} ${y:-default}
echo $((0x10 + 010 + 2 ** 5)) $((7 / 2)) $((-7 % 3))
(exit 3); echo "status $?"
! false && echo negated
eval 'z=5; echo $z'
echo "$(echo "$(echo deep)")"
command -v sort >/dev/null && echo found
not-a-command-at-all 2>/dev/null; echo "status $?"
sh -c 'kill -SEGV $$'; echo "status $?"
sh -c 'kill -KILL $$'; echo "status $?"
printf '%s %05d %x\n' text 42 255
expr 3 \* 4 + 1
echo 'scale=3; 10/7' | bc 2>/dev/null || echo no bc
