# shellcheck shell=bash
# The Linux packages of a release: deb and rpm. They have no scripts: systemd makes the user when a service starts. See release.sh
# for the variables.

# tree COMMON BINARY FOLDER: puts the files of a package into the folder, at the paths that they have on a machine.
tree() {
  local doc=$3/usr/share/doc/houndtrail
  install -D -m 755 "$2" "$3/usr/bin/houndtrail"
  install -d -m 755 "$doc" "$3/usr/share/man/man1" "$3/usr/lib/systemd/system" "$3/etc"
  install -d -m 750 "$3/etc/houndtrail"
  cp -r deploy/systemd/. "$3/usr/lib/systemd/system"
  cp "$1"/man/*.1 "$3/usr/share/man/man1"
  gzip -n -9 "$3"/usr/share/man/man1/*
  install -D -m 644 "$1/completions/houndtrail.bash" "$3/usr/share/bash-completion/completions/houndtrail"
  install -D -m 644 "$1/completions/houndtrail.zsh" "$3/usr/share/zsh/vendor-completions/_houndtrail"
  install -D -m 644 "$1/completions/houndtrail.fish" "$3/usr/share/fish/vendor_completions.d/houndtrail.fish"
  cp "$1/README.md" "$1/CHANGELOG.md" "$1/houndtrail.env.example" "$1/THIRD-PARTY-LICENSES.txt" "$doc"
  cp "$1/LICENSE" "$doc/copyright"
  # Another umask must not change a package.
  find "$3" -type d -exec chmod 755 {} +
  find "$3" -type f ! -path "$3/usr/bin/*" -exec chmod 644 {} +
  chmod 750 "$3/etc/houndtrail"
  find "$3" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# debs COMMON: makes a Debian package for each architecture.
debs() {
  local arch root
  for arch in amd64 arm64; do
    root=$BUILD/deb/$arch
    mkdir -p "$root/DEBIAN"
    tree "$1" "$BUILD/bin/linux_$arch" "$root"
    cat >"$root/DEBIAN/control" <<END
Package: houndtrail
Version: ${VERSION/-/\~}
Architecture: $arch
Maintainer: The Houndtrail Authors <houndtrail@users.noreply.github.com>
Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f 1)
Section: admin
Priority: optional
Recommends: ca-certificates
Homepage: https://github.com/houndtrail/houndtrail
Description: keeps the BloodHound audit log
 Houndtrail reads the BloodHound audit log, writes it as Parquet to S3 or a
 directory, and posts it to a SIEM: nothing lost, nothing twice.
END
    chmod 644 "$root/DEBIAN/control"
    touch -d "@$SOURCE_DATE_EPOCH" "$root/DEBIAN/control" "$root/DEBIAN"
    dpkg-deb --root-owner-group -Zgzip -z6 --build "$root" "$DIST/houndtrail_${VERSION}_$arch.deb" >/dev/null
  done
}

# rpms COMMON: makes an RPM package for each architecture.
rpms() {
  local arch machine root
  for arch in amd64 arm64; do
    if [ "$arch" = amd64 ]; then machine=x86_64; else machine=aarch64; fi
    root=$BUILD/rpm/$arch
    mkdir -p "$root/top"
    tree "$1" "$BUILD/bin/linux_$arch" "$root/tree"
    cat >"$root/houndtrail.spec" <<END
Name: houndtrail
Version: ${VERSION/-/\~}
Release: 1
Summary: Keeps the BloodHound audit log
License: Apache-2.0
URL: https://github.com/houndtrail/houndtrail
AutoReqProv: no
Recommends: ca-certificates
%description
Houndtrail reads the BloodHound audit log, writes it as Parquet to S3 or a
directory, and posts it to a SIEM: nothing lost, nothing twice.
%install
cp -a $root/tree/. %{buildroot}
%files
%defattr(-,root,root)
%dir %attr(750,root,root) /etc/houndtrail
/usr/bin/houndtrail
/usr/lib/systemd/system/houndtrail*
/usr/share/man/man1/*
/usr/share/bash-completion/completions/houndtrail
/usr/share/zsh/vendor-completions/_houndtrail
/usr/share/fish/vendor_completions.d/houndtrail.fish
/usr/share/doc/houndtrail
END
    rpmbuild --quiet -bb --target "$machine-linux" --define "_topdir $root/top" --define '_build_id_links none' \
      --define '_buildhost houndtrail' --define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' \
      --define '__os_install_post %{nil}' --define 'debug_package %{nil}' --define '_binary_payload w6.gzdio' \
      "$root/houndtrail.spec" >"$root/log" 2>&1 || { cat "$root/log"; return 1; }
    cp "$root"/top/RPMS/*/*.rpm "$DIST/houndtrail_${VERSION}_$arch.rpm"
  done
}
