#!/bin/bash
# Carries Slurm's packages to a machine that cannot install any, such as a GPU machine without a
# network, for the development cluster alone:
#   slurm/carry.sh pack FILE       on a Debian 12 machine that has slurm/packages.txt installed
#   slurm/carry.sh unpack FILE     as root on the other, x86-64 with glibc 2.36 or newer
# Nothing that is there already is replaced; libraries are taken only where the machine has none of
# that name.
set -euo pipefail

# What the cluster runs and loads; MariaDB's tools and languages stay behind.
packages="slurmctld slurmd slurmdbd slurm-client slurm-wlm-basic-plugins slurm-wlm-mysql-plugin
  munge libmunge2 mariadb-server mariadb-server-core mariadb-client-core libmariadb3"
unwanted='^/usr/share/(doc|man|lintian|mysql/[a-z_]+/errmsg|bug)|^/etc/(init|systemd)|^/lib/systemd'
home=/usr/local/lib/joulegrid-slurm

usage() {
  echo "carry.sh: the words must be pack FILE or unpack FILE, but are '$*' instead" >&2
  exit 2
}

pack() {
  mkdir "$work/lib"
  # shellcheck disable=SC2086  # one word a package
  dpkg -L $packages | grep -Ev "$unwanted" | grep -E '/(s?bin|lib|share)/' | sort -u |
    while read -r path; do if [ -f "$path" ]; then echo "${path#/}"; fi; done > "$work/files"
  echo usr/share/mysql/english/errmsg.sys >> "$work/files"
  # Alternatives: the names that slurmctld and slurmd are called by.
  for name in slurmctld slurmd slurmstepd slurmdbd; do
    if [ -L "/usr/sbin/$name" ]; then readlink -f "/usr/sbin/$name" > "$work/$name.link"; fi
  done
  sed 's#^#/#' "$work/files" | grep -E '/(s?bin)/|\.so' | { xargs -r ldd 2>/dev/null || true; } |
    awk '$3 ~ /^\// {print $3}' | sort -u | grep -Ev 'libc\.so|libm\.so|ld-linux|libslurmfull' |
    while read -r library; do cp -L "$library" "$work/lib/"; done
  tar -C / -cf "$work/files.tar" -T "$work/files"
  tar -C "$work" -czf "$1" files.tar lib $(cd "$work" && ls -- *.link)
  echo "$1: $(wc -l < "$work/files") files, $(du -h "$1" | cut -f1)"
}

unpack() {
  local name library
  tar -C "$work" -xzf "$1"
  tar -C / --skip-old-files -xf "$work/files.tar"
  for link in "$work"/*.link; do
    name=$(basename "$link" .link)
    if [ ! -e "/usr/sbin/$name" ]; then ln -s "$(cat "$link")" "/usr/sbin/$name"; fi
  done
  mkdir -p "$home"
  for library in "$work"/lib/*; do
    name=$(basename "$library")
    if ! ldconfig -p | grep -qF "$name "; then cp "$library" "$home/"; fi
  done
  printf '%s\n' "$home" /usr/lib/x86_64-linux-gnu/slurm-wlm > /etc/ld.so.conf.d/joulegrid-slurm.conf
  ldconfig
  # The daemons look these up even where all run as one user.
  for name in munge slurm mysql; do
    if ! getent passwd "$name" > /dev/null; then
      useradd --system --no-create-home --shell /usr/sbin/nologin "$name"
    fi
  done
  slurmctld -V
}

if [ "$#" -ne 2 ]; then usage "$@"; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case "$1" in
  pack | unpack) "$1" "$2" ;;
  *) usage "$@" ;;
esac
