# SPDX-License-Identifier: MIT
factor 1234567890 97 1000000007
od -A d -t x1 texts/BSD | head -n 4
hexdump -C texts/BSD | head -n 3
seq 1 20 | shuf | sort -n | paste -s -d ,
tac texts/BSD | head -n 3
nl texts/BSD | head -n 3
cut -d ' ' -f 1-3 texts/BSD | head -n 5
fold -w 20 texts/BSD | head -n 4
expand texts/GPL-1 | md5sum
base64 texts/BSD | base64 -d | cmp - texts/BSD && echo the same
uuencode x <texts/BSD | uudecode -o - | md5sum
wc texts/*
