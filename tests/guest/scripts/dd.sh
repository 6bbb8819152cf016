# SPDX-License-Identifier: MIT
dd if=texts/GPL-3 of=tmp/dd.copy bs=1000 2>/dev/null
cmp tmp/dd.copy texts/GPL-3 && echo the same
dd if=texts/GPL-3 bs=1 skip=100 count=200 2>/dev/null
dd if=/dev/zero of=tmp/dd.zeros bs=4096 count=100 2>/dev/null
wc -c <tmp/dd.zeros
echo hello | dd of=tmp/dd.zeros bs=1 seek=5000 conv=notrunc 2>/dev/null
md5sum <tmp/dd.zeros
dd if=/dev/zero of=tmp/dd.sparse bs=1 count=1 seek=1000000 2>/dev/null
wc -c <tmp/dd.sparse
md5sum <tmp/dd.sparse
dd if=/dev/zero bs=1M count=4 2>/dev/null | wc -c
rm tmp/dd.*
