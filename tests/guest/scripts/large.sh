# SPDX-License-Identifier: MIT
seq 1 200000 >tmp/large
wc tmp/large
md5sum <tmp/large
sort -rn tmp/large | head -n 2
tail -c 20 tmp/large
for part in 0 1 2 3; do dd if=tmp/large bs=400000 skip=$part count=1 2>/dev/null; done | cmp - tmp/large && echo the same
rev tmp/large | head -n 3
rm tmp/large*
