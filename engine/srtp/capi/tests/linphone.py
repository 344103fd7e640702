"""A call between two of Debian's linphonec, the caller on one SRTP library and the called on the other.

    linphone.py FOLDER {ours|theirs}    on which library the caller is: that in FOLDER, or Debian's

Both play a voice and record what they hear. Ends with status 0 if SRTP was negotiated, both heard the voice, and nobody logged a
packet that could not be unprotected.
"""

import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import wave

VOICE = "/usr/share/sounds/linphone/hello8000.wav"
TRIES, PAUSE_S = 300, 0.1
# Samples louder than this, of 16 bits, are voice; a second of them is enough.
LOUD, ENOUGH = 1000, 20_000


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


class Phone:
    def __init__(self, folder, name, library, automatic):
        self.home, self.port = f"{folder}/{name}", free_port()
        os.makedirs(f"{self.home}/.local/share/linphone")
        with open(f"{self.home}/rc", "w") as file:
            file.write(f"[sip]\nsip_port={self.port}\nsip_tcp_port={free_port()}\nsip_tls_port=-1\nmedia_encryption=srtp\n"
                       f"media_encryption_mandatory=1\nguess_hostname=0\n"
                       f'contact="{name}" <sip:{name}@127.0.0.1:{self.port}>\n'
                       f"[rtp]\naudio_rtp_port={free_port()}\n[sound]\nechocancellation=0\n")
        environment = dict(os.environ, HOME=self.home)
        environment.pop("LD_LIBRARY_PATH", None)
        if library:
            environment["LD_LIBRARY_PATH"] = library
        arguments = ["linphonec", "-c", f"{self.home}/rc", "-d", "6", "-l", f"{self.home}/log"] + ["-a"] * automatic
        with open(f"{self.home}/said", "w") as said:
            self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=said, stderr=said, env=environment, text=True)
        until(self.listens, f"{name} listens")
        for line in ("soundcard use files", f"record {self.home}/heard.wav", f"play {VOICE}"):
            self.say(line)

    def listens(self):
        tables = []
        for name in ("udp", "udp6"):
            with open(f"/proc/net/{name}") as sockets:
                tables.append(sockets.read())
        return f":{self.port:04X} 0000" in "".join(tables)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def said(self, text, file="said"):
        with open(f"{self.home}/{file}", errors="replace") as lines:
            return text in lines.read()

    def library(self):
        with open(f"/proc/{self.process.pid}/maps") as maps:
            return {os.path.realpath(line.split()[-1]) for line in maps if "srtp" in line}

    def loud(self):
        try:
            with wave.open(f"{self.home}/heard.wav") as heard:
                raw = heard.readframes(heard.getnframes())
        except (OSError, EOFError, wave.Error):
            return 0
        return sum(abs(sample) > LOUD for (sample,) in struct.iter_unpack("<h", raw[:len(raw) // 2 * 2]))

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)


def main():
    library, caller_side = sys.argv[1:]
    folder = tempfile.mkdtemp()
    sides = (library, None) if caller_side == "ours" else (None, library)
    phones = []
    try:
        for name, side, automatic in (("caller", sides[0], False), ("called", sides[1], True)):
            phones.append(Phone(folder, name, side, automatic))
        caller, called = phones
        for phone, side in zip(phones, sides):
            expected = os.path.realpath(f"{side or '/usr/lib/x86_64-linux-gnu'}/libsrtp2.so.1")
            if phone.library() != {expected}:
                sys.exit(f"a phone runs on {phone.library()}, not on {expected}")
        caller.say(f"call sip:called@127.0.0.1:{called.port}")
        until(lambda: all(phone.said("Media streams established") for phone in phones), "the call is established")
        # Frames are in the file as they are heard; the header counts them when the call ends.
        until(lambda: all(os.path.exists(f"{phone.home}/heard.wav") and os.path.getsize(f"{phone.home}/heard.wav") > 700_000
                          for phone in phones), "both record")
        caller.say("terminate")
        until(lambda: all(phone.said("ended (No error)") for phone in phones), "the call ends well")
        for phone in phones:
            phone.say("quit")
        for phone in phones:
            phone.process.wait(20)
            if phone.loud() < ENOUGH:
                sys.exit(f"{phone.home}: heard only {phone.loud()} loud samples")
            if not phone.said("LinphoneMediaEncryptionSRTP", "log") or phone.said("srtp_unprotect", "log"):
                sys.exit(f"{phone.home}: no SRTP, or packets that could not be unprotected")
    finally:
        for phone in phones:
            phone.end()
        shutil.rmtree(folder, ignore_errors=True)


main()
