# SPDX-License-Identifier: MIT
big=$(seq 1 5000)
leaf() { big="$1 $big"; echo "$1 $(echo "$big" | md5sum)"; }
node() { (leaf $1.1) & (leaf $1.2) & (leaf $1.3) & wait; }
(node 1 & node 2 & node 3 & wait) | sort
echo "$big" | md5sum
