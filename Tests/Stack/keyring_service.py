# SPDX-License-Identifier: Apache-2.0
"""A keyring on a session bus of its own. As a program (Debian's python3, which has D-Bus): keeps the items that stand on
its standard input as JSON, [{"attributes": {…}, "secret": "…", "locked": false}], until it is killed.

Source: Secret Service API Draft 0.2.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class Child:
    """A program that ends with its block."""

    process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Bus(Child):
    """A private dbus-daemon; its address is for DBUS_SESSION_BUS_ADDRESS."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(self.folder.name)
        config = root / "bus.conf"
        config.write_text(CONFIG.format(root / "socket"))
        self.address = f"unix:path={root / 'socket'}"
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline(), "dbus-daemon listens"

    def __exit__(self, *_):
        super().__exit__()
        self.folder.cleanup()


class Keyring(Child):
    """A service with these items on a bus."""

    def __init__(self, bus, *items):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], "DBUS_SESSION_BUS_ADDRESS": bus.address})
        self.process.stdin.write(json.dumps(items))
        self.process.stdin.close()
        assert self.process.stdout.readline() == "ready\n"


def serve(items):
    import dbus
    import dbus.mainloop.glib
    import dbus.service
    from gi.repository import GLib

    secrets = "org.freedesktop.Secret."
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus()
    paths = [f"/org/freedesktop/secrets/collection/login/{number}" for number in range(len(items))]

    class Item(dbus.service.Object):
        def __init__(self, number):
            super().__init__(bus, paths[number])
            self.item = items[number]

        @dbus.service.method(secrets + "Item", in_signature="o", out_signature="(oayays)")
        def GetSecret(self, session):
            if self.item.get("locked"):
                raise dbus.DBusException("locked", name=secrets + "Error.IsLocked")
            if session != "/org/freedesktop/secrets/session/1":
                raise dbus.DBusException("no session", name=secrets + "Error.NoSession")
            value = dbus.ByteArray(self.item["secret"].encode())
            return dbus.ObjectPath(session), dbus.ByteArray(b""), value, "text/plain; charset=utf8"

    class Service(dbus.service.Object):
        @dbus.service.method(secrets + "Service", in_signature="sv", out_signature="vo")
        def OpenSession(self, algorithm, _):
            if algorithm != "plain":
                raise dbus.DBusException("only plain", name="org.freedesktop.DBus.Error.NotSupported")
            return "", dbus.ObjectPath("/org/freedesktop/secrets/session/1")

        @dbus.service.method(secrets + "Service", in_signature="a{ss}", out_signature="aoao")
        def SearchItems(self, wanted):
            found = [n for n, item in enumerate(items) if dict(wanted).items() <= item["attributes"].items()]

            def some(locked):
                chosen = [paths[n] for n in found if bool(items[n].get("locked")) == locked]
                return dbus.Array(map(dbus.ObjectPath, chosen), signature="o")

            return some(False), some(True)

        @dbus.service.method(secrets + "Service", in_signature="ao", out_signature="aoo")
        def Unlock(self, _):
            # A person would be asked.
            return dbus.Array([], signature="o"), dbus.ObjectPath("/org/freedesktop/secrets/prompt/1")

    kept = [Item(number) for number in range(len(items))] + [Service(bus, "/org/freedesktop/secrets")]
    name = dbus.service.BusName("org.freedesktop.secrets", bus)
    print("ready", flush=True)
    GLib.MainLoop().run()
    del kept, name


if __name__ == "__main__":
    serve(json.load(sys.stdin))
