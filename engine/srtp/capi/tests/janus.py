"""Debian's janus on one SRTP library, GStreamer on another: SRTP into janus and out of it.

    janus.py FOLDER {ours|theirs}    which of the two runs on the library in FOLDER is janus, or its peer

Into: srtpenc sends to a mountpoint of the streaming plugin, which records what it decrypted. Out: the audio bridge forwards a
silent room, srtpdec decrypts it. Ends with status 0 if both sides heard what the other said.
"""

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

PLUGINS = "/usr/lib/x86_64-linux-gnu/janus"
KEY = bytes(range(30))
PACKETS = 60
PEER_SSRC, JANUS_SSRC = 1234, 4321
TRIES, PAUSE_S = 200, 0.05


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until(condition, what):
    """Asks again and again, a bounded number of times."""
    for _ in range(TRIES):
        if condition():
            return
        time.sleep(PAUSE_S)
    sys.exit(f"{what}: not within {TRIES} tries")


class Janus:
    def __init__(self, folder, environment):
        self.folder, self.port = folder, free_port()
        for kind, names in (("plugins", ("audiobridge", "streaming")), ("transports", ("http",))):
            os.makedirs(f"{folder}/{kind}")
            for name in names:
                os.symlink(f"{PLUGINS}/{kind}/libjanus_{name}.so", f"{folder}/{kind}/libjanus_{name}.so")
        os.makedirs(f"{folder}/none")
        self.write("janus.jcfg", f'general: {{ configs_folder = "{folder}" plugins_folder = "{folder}/plugins" '
                   f'transports_folder = "{folder}/transports" events_folder = "{folder}/none" '
                   f'loggers_folder = "{folder}/none" }}\n')
        self.write("janus.transport.http.jcfg", f'general: {{ json = "compact" base_path = "/janus" http = true '
                   f'port = {self.port} ip = "127.0.0.1" https = false }}\nadmin: {{ admin_http = false }}\n')
        self.write("janus.plugin.streaming.jcfg", "general: { }\n")
        self.write("janus.plugin.audiobridge.jcfg", "general: { }\n")
        with open(f"{folder}/log", "w") as log:
            self.process = subprocess.Popen(["janus", "-F", folder, "-i", "127.0.0.1"], env=environment, stdout=log, stderr=log)
        until(self.answers, "janus answers")
        self.session = self.ask("", {"janus": "create"})["data"]["id"]

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w") as file:
            file.write(text)

    def ask(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/janus{path}",
                                         json.dumps(dict(body, transaction="t")).encode())
        return json.load(urllib.request.urlopen(request, timeout=10))

    def answers(self):
        try:
            return self.ask("", {"janus": "ping"})["janus"] == "pong"
        except OSError:
            return False

    def attach(self, plugin):
        return self.ask(f"/{self.session}", {"janus": "attach", "plugin": plugin})["data"]["id"]

    def message(self, handle, body):
        data = self.ask(f"/{self.session}/{handle}", {"janus": "message", "body": body})["plugindata"]["data"]
        if "error" in data:
            sys.exit(f"{body}: {data}")
        return data

    def libraries(self):
        with open(f"/proc/{self.process.pid}/maps") as maps:
            return {os.path.realpath(line.split()[-1]) for line in maps if "srtp" in line}

    def end(self):
        self.process.terminate()
        self.process.wait(10)


def launch(environment, pipeline):
    return subprocess.Popen(["timeout", "60", "gst-launch-1.0", "-q", *pipeline.split()], env=environment)


def recorded(path):
    """Payloads and number of the packets in a recording of janus."""
    with open(path, "rb") as file:
        raw = file.read()
    at = 10 + struct.unpack(">H", raw[8:10])[0]
    payloads, count = b"", 0
    while at + 10 <= len(raw):
        (size,) = struct.unpack(">H", raw[at + 8:at + 10])
        payloads += raw[at + 10 + 12:at + 10 + size]
        at, count = at + 10 + size, count + 1
    return payloads, count


def into(janus, peer, folder):
    tone = f"audiotestsrc num-buffers={PACKETS} %s ! audio/x-raw,rate=8000,channels=1 ! alawenc !"
    if launch(peer, tone % "" + f" filesink location={folder}/tone").wait() != 0:
        sys.exit("the tone could not be made")
    port, handle = free_port(), janus.attach("janus.plugin.streaming")
    janus.message(handle, {"request": "create", "type": "rtp", "id": 7, "audio": True, "audioport": port, "audiopt": 8,
                           "audiocodec": "pcma", "srtpsuite": 80, "srtpcrypto": base64.b64encode(KEY).decode()})
    janus.message(handle, {"request": "recording", "id": 7, "action": "start", "audio": f"{folder}/heard-by-janus"})
    sender = launch(peer, tone % "is-live=true" + f" rtppcmapay ssrc={PEER_SSRC} seqnum-offset=65510 ! "
                    f"srtpenc key={KEY.hex()} ! udpsink host=127.0.0.1 port={port}")
    if sender.wait() != 0:
        sys.exit("the sender failed")
    path = f"{folder}/" + next(name for name in os.listdir(folder) if name.startswith("heard-by-janus"))

    def idle():
        media = janus.message(handle, {"request": "info", "id": 7})["info"]["media"]
        return media[0].get("age_ms", 0) > 100

    # The recording is written out when it ends; it ends when nothing has come for a while.
    until(idle, "janus takes in every packet")
    janus.message(handle, {"request": "recording", "id": 7, "action": "stop", "audio": True})
    until(lambda: recorded(path)[1] == PACKETS, "janus records every packet")
    with open(f"{folder}/tone", "rb") as tone:
        if recorded(path)[0] != tone.read():
            sys.exit("janus heard something else")


def out_of(janus, peer, folder):
    port, handle = free_port(), janus.attach("janus.plugin.audiobridge")
    suite = "srtp-cipher=(string)aes-128-icm,srtp-auth=(string)hmac-sha1-80,srtcp-cipher=(string)aes-128-icm,srtcp-auth=(string)hmac-sha1-80"
    receiver = launch(peer, f"udpsrc port={port} address=127.0.0.1 num-buffers=100 caps=application/x-srtp,media=(string)audio,"
                      f"payload=(int)8,clock-rate=(int)8000,encoding-name=(string)PCMA,ssrc=(uint){JANUS_SSRC},"
                      f"srtp-key=(buffer){KEY.hex()},{suite},roc=(uint)0 ! srtpdec ! rtppcmadepay ! filesink location={folder}/heard")

    def listening():
        with open("/proc/net/udp") as sockets:
            return f"0100007F:{port:04X}" in sockets.read()

    until(listening, "the receiver listens")
    janus.message(handle, {"request": "create", "room": 9, "sampling_rate": 16000})
    janus.message(handle, {"request": "rtp_forward", "room": 9, "host": "127.0.0.1", "port": port, "codec": "pcma", "ptype": 8,
                           "ssrc": JANUS_SSRC, "always_on": True, "srtp_suite": 80,
                           "srtp_crypto": base64.b64encode(KEY).decode()})
    if receiver.wait() != 0:
        sys.exit("the receiver failed")
    with open(f"{folder}/heard", "rb") as file:
        heard = file.read()
    # 100 packets of 20 ms of silence: A-law has two codes for it.
    if len(heard) != 100 * 160 or not set(heard) <= {0x55, 0xd5}:
        sys.exit(f"heard {len(heard)} bytes of {sorted(set(heard))[:9]}")


def main():
    library, side = sys.argv[1:]
    plain = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    folder = tempfile.mkdtemp()
    plain["GST_REGISTRY_1_0"] = f"{folder}/registry"
    ours = dict(plain, LD_LIBRARY_PATH=library)
    janus_environment, peer = (ours, plain) if side == "ours" else (plain, ours)
    janus = Janus(folder, janus_environment)
    try:
        expected = f"{library}/libsrtp2.so.1" if side == "ours" else "/usr/lib/x86_64-linux-gnu/libsrtp2.so.1"
        if janus.libraries() != {os.path.realpath(expected)}:
            sys.exit(f"janus runs on {janus.libraries()}")
        into(janus, peer, folder)
        out_of(janus, peer, folder)
    finally:
        janus.end()
        shutil.rmtree(folder)


main()
