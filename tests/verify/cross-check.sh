#!/bin/sh
# Type-checks and lints what only Windows and macOS compile. usage: cross-check.sh DEST
# DEST keeps a copy of the toolchain (hard links) with std for both; made once, about a minute of CPU per target.
# Where rustup can be reached, `rustup target add` does the first half.
set -eu
dest=$1
windows=x86_64-pc-windows-gnu macos=aarch64-apple-darwin
# Started by `cargo run`, we inherit which toolchain that was and where its libraries lie; from here on it is our copy.
unset RUSTUP_TOOLCHAIN CARGO LD_LIBRARY_PATH
ver=$(rustc -vV | sed -n 's/^release: //p'); sys=$(rustc --print sysroot)
mkdir -p "$dest"; [ -d "$dest/tc/bin" ] || cp -al "$sys" "$dest/tc"
lib=$dest/tc/lib/rustlib

library_source() { # std's source, of exactly this compiler
  [ -d "$lib/src/rust/library" ] && return
  mkdir -p "$lib/src/rust"
  if [ -n "${RUST_LIBRARY:-}" ]; then tar -xf "$RUST_LIBRARY" -C "$lib/src/rust"; return; fi
  # Debian's trixie-backports, from the mirror that this machine uses already.
  sources=${APT_SOURCES:-/etc/apt/sources.list.d/debian.sources}
  keyring=${KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
  a=$(mktemp -d); mkdir -p "$a/lists/partial" "$a/cache/archives/partial" "$a/dl"; chmod 755 "$a" "$a/dl"
  uri=$(awk '/^URIs:/{print $2; exit}' "$sources")
  printf 'Types: deb\nURIs: %s\nSuites: trixie-backports\nComponents: main\nSigned-By: %s\n' "$uri" "$keyring" >"$a/s.sources"
  apt() { command "$@" -q -oDir::Etc::SourceList="$a/s.sources" -oDir::Etc::SourceParts="$a/none" -oDir::State::Lists="$a/lists" -oDir::Cache="$a/cache"; }
  apt apt-get update >/dev/null
  full=$(apt apt-cache madison rust-src | awk -F'|' -v v="$ver" '{gsub(/ /,"",$2)} index($2,v"+")==1{print $2; exit}')
  [ -n "$full" ] || { echo "no rust-src $ver in that suite" >&2; rm -rf "$a" "$lib/src"; exit 3; }
  ( cd "$a/dl" && apt apt-get download "rust-src=$full" >/dev/null 2>&1 )
  dpkg-deb --fsys-tarfile "$a"/dl/rust-src_*.deb | tar -x -C "$lib/src/rust" --strip-components=4 "./usr/src/rustc-$ver/library"
  rm -rf "$a"
}

build_std() { # of one target
  ls "$lib/$1/lib"/libstd-*.rlib >/dev/null 2>&1 && return
  w=$(mktemp -d); mkdir "$w/src"; : >"$w/src/lib.rs"
  printf '[package]\nname="stdonly"\nversion="0.0.0"\nedition="2021"\n' >"$w/Cargo.toml"
  ( cd "$w" && PATH=$dest/tc/bin:$PATH RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$w/target \
    RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$lib/src/rust=/rustc/$ver" \
    cargo build -q --release --target "$1" -Zbuild-std=core,alloc,std,panic_unwind,panic_abort,proc_macro,test \
      -Zbuild-std-features=panic-unwind,backtrace )
  mkdir -p "$lib/$1/lib"; cp "$w/target/$1/release/deps"/*.rlib "$lib/$1/lib/"; rm -f "$lib/$1/lib"/libstdonly-*; rm -rf "$w"
}

export RUSTC="$dest/tc/bin/rustc"
library_source; build_std $windows; build_std $macos
export PATH="$dest/tc/bin:$PATH" CARGO_TARGET_DIR="$dest/target" CARGO_PROFILE_DEV_DEBUG=0
cargo clippy --locked -p platform --all-targets --target $macos -- -D warnings
cargo clippy --locked -p platform --all-targets --target $windows -- -D warnings
# With a C compiler for Windows (Debian: gcc-mingw-w64-x86-64) the whole agent.
if command -v x86_64-w64-mingw32-gcc >/dev/null; then
  cargo clippy --locked -p agent --all-targets --target $windows -- -D warnings
fi
# With Wine the tests of platform run as Windows programs. Wine 8 lacks a DLL that every Rust program wants.
if command -v wine >/dev/null && command -v x86_64-w64-mingw32-gcc >/dev/null; then
  export WINEPREFIX="$dest/wine" WINEDEBUG=-all CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine; unset DISPLAY
  [ -d "$WINEPREFIX" ] || { wine wineboot -i; wine winecfg -v win10; }
  if [ ! -e "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ]; then
    printf '%s\n' '#include <windows.h>' 'BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);' \
      '__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n) { return SystemFunction036(p, (ULONG)n); }' >"$dest/prng.c"
    x86_64-w64-mingw32-gcc -shared -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" "$dest/prng.c" -ladvapi32
  fi
  cargo test --locked -p platform --lib --target $windows
fi
