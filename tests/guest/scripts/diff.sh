# SPDX-License-Identifier: MIT
sed 's/the/THE/' texts/BSD >tmp/diff.new
diff texts/BSD tmp/diff.new | head -n 20
diff -u texts/BSD tmp/diff.new | tail -n +3 | md5sum
diff texts/BSD texts/BSD; echo "status $?"
diff -q texts/GPL-2 texts/GPL-3; echo "status $?"
cmp texts/GPL-2 texts/GPL-3; echo "status $?"
comm -12 texts/GPL-2 texts/GPL-3 2>/dev/null | wc -l
seq 1 300 >tmp/diff.a; seq 2 301 >tmp/diff.b; diff tmp/diff.a tmp/diff.b
