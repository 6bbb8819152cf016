# SPDX-License-Identifier: MIT
gzip -c <texts/GPL-3 >tmp/gzip.gz
gunzip -c <tmp/gzip.gz | cmp - texts/GPL-3 && echo the same
cp texts/GPL-2 tmp/gzip.text
gzip -f tmp/gzip.text && ls tmp/gzip.text* && gunzip -f tmp/gzip.text.gz && md5sum <tmp/gzip.text
seq 1 100000 | gzip | gunzip | md5sum
echo no archive >tmp/gzip.bad.gz
gunzip -c tmp/gzip.bad.gz; echo "status $?"
bzip2 -c <texts/BSD | bunzip2 | cmp - texts/BSD && echo the same
