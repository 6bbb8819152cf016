# SPDX-License-Identifier: MIT
seq 1 5000 | grep 7 | sed 's/7/seven/' | tail -n 3
cat texts/GPL-3 | cat | cat | cat | cat | wc
yes quire | head -n 20000 | wc -c
echo first | { read line; echo "got $line"; }
seq 10 | while read number; do echo $((number * number)); done | paste -s -d ' '
false | true; echo "status $?"
