#!/bin/sh
# Builds ISA-L's inflater as a static library from the source package of the Debian
# release it runs on, since Debian packages the shared library alone:
#
#	isal.sh PREFIX [ARCHITECTURE]
#
# leaves PREFIX/include, PREFIX/lib/libisal.a and PREFIX/LICENSE.isa-l. The
# ARCHITECTURE is amd64 or arm64, and defaults to the machine's. It is for root, or
# for who may use sudo: the compiler, the assembler and lists of sources are
# installed with apt-get.
set -eu

mkdir -p "$1"
prefix=$(cd "$1" && pwd)
arch=${2:-$(dpkg --print-architecture)}
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

native=no
[ "$arch" != "$(dpkg --print-architecture)" ] || native=yes
case $arch-$native in
amd64-yes) target=x86_64 packages="nasm gcc libc6-dev" ;;
amd64-no) target=x86_64 packages="nasm gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;;
arm64-yes) target=aarch64 packages="gcc libc6-dev" ;;
arm64-no) target=aarch64 packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
*)
	echo "no ISA-L for $arch" >&2
	exit 1
	;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The sources get lists of their own, so that those of the machine stay as they are.
. /etc/os-release
mkdir -p "$work/lists/partial"
chmod 755 "$work"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $VERSION_CODENAME main" >"$work/sources.list"
sources() {
	apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists" \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "$@"
}

$sudo apt-get -qq update
# shellcheck disable=SC2086 # A list of words.
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends dpkg-dev make patch xz-utils $packages >/dev/null
sources update
cd "$work"
sources source isal
cd "$work"/*isa*l-*/
make -s -f Makefile.unx units=igzip host_cpu="$target" have_threads= CC="$target-linux-gnu-gcc" AR="$target-linux-gnu-ar" lib >/dev/null

mkdir -p "$prefix/include/isa-l" "$prefix/lib"
cp include/igzip_lib.h include/types.h "$prefix/include/isa-l/"
cp bin/isa-l.a "$prefix/lib/libisal.a"
cp LICENSE "$prefix/LICENSE.isa-l"
echo "built ISA-L for $arch in $prefix"
