# SPDX-License-Identifier: MIT
name=world
cat <<END
hello $name, $((6 * 7)), $(echo nested)
END
cat <<'END'
not $expanded `at all`
END
sort <<-END
	c
	b
	a
	END
i=0
while read word; do i=$((i + 1)); echo "$i $word"; done <<END
one
two
three
END
large=$(seq 1 3000)
cat <<END | md5sum
$large
END
