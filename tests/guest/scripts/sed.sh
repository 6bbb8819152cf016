# SPDX-License-Identifier: MIT
sed 's/GNU/gnu/g' texts/GPL-3 | md5sum
sed -n '10,20p' texts/GPL-3
sed '/^$/d' texts/GPL-2 | wc -l
sed -e 's/\([A-Z][a-z]*\) \([A-Z][a-z]*\)/\2 \1/' texts/BSD | head -n 5
cp texts/BSD tmp/sed.text
sed -i 's/[aeiou]//g' tmp/sed.text
head -n 3 tmp/sed.text
seq 1 10 | sed -n 'h;n;G;p'
