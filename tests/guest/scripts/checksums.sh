# SPDX-License-Identifier: MIT
for text in GPL-1 GPL-2 GPL-3 LGPL-2 LGPL-3 Artistic BSD Apache-2.0 MPL-2.0; do
    sha256sum texts/$text
    md5sum texts/$text
    sha1sum texts/$text
    sha512sum <texts/$text | cut -c 1-32
done
dd if=/dev/zero bs=64k count=20 2>/dev/null | sha256sum
