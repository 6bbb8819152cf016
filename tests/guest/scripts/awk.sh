# SPDX-License-Identifier: MIT
awk '{ words += NF; lines++ } END { print lines, words }' texts/GPL-3
awk 'length > 78' texts/Apache-2.0 | head -n 3
awk '{ for (i = 1; i <= NF; i++) count[$i]++ } END { for (w in count) print count[w], w }' texts/GPL-2 | sort -k1,1nr -k2 | head -n 10
seq 1 2000 | awk '{ s += $1; q += $1 * $1 } END { printf "%d %d %.6f\n", s, q, s / NR }'
awk 'BEGIN { for (i = 0; i < 30000; i++) a[i] = i * i; t = 0; for (i in a) t += a[i]; print t }'
awk 'BEGIN { print substr("quire", 2, 3), index("quire", "ir"), toupper("quire") }'
