#!/bin/sh
# Collects the root of the final images in the folder named: Python, the libraries that it and compiled packages load,
# certificates and time zones, as Debian ships them. What is left out is not in the image: shells, package managers, compilers.
# Debian's record of each package goes along, where scanners look for it when there is no dpkg (/var/lib/dpkg/status.d).
set -eu
root=$1
packages="base-files ca-certificates gcc-14-base libbz2-1.0 libc6 libdb5.3t64 libexpat1 libffi8 libgcc-s1 liblzma5
    libncursesw6 libpython3.13-minimal libpython3.13-stdlib libreadline8t64 libsqlite3-0 libssl3t64 libstdc++6
    libtinfo6 libuuid1 libzstd1 media-types netbase python3-minimal python3.13-minimal tzdata zlib1g"
mkdir -p "$root/var/lib/dpkg/status.d"
for package in $packages; do
    dpkg-query --status "$package" > "$root/var/lib/dpkg/status.d/$package"
    dpkg-query --listfiles "$package"
done > /tmp/listed
{
    grep -vE '^/usr/share/(man|locale|lintian|bug|applications|pixmaps|gdb|perl5|doc/.*/[^/]+$)' /tmp/listed
    grep '/copyright$' /tmp/listed
    # What the packages' scripts made: links of the merged /usr, bytecode, the bundle of certificates.
    find /bin /lib /lib64 /sbin -maxdepth 0
    find /usr/lib/python3.13 /usr/lib/ssl /etc/ssl
} | tar -C / --create --no-recursion --files-from=- | tar -C "$root" --extract
ldconfig -r "$root"
cat > "$root/etc/passwd" <<'END'
root:x:0:0::/root:/usr/sbin/nologin
kronos:x:65532:65532::/tmp:/usr/sbin/nologin
END
printf 'root:x:0:\nkronos:x:65532:\n' > "$root/etc/group"
