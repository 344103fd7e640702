//! Descriptions in the manner of well-known programs, written for these tests.

/// A text with the line ends that SIP wants.
pub(crate) fn crlf(text: &str) -> String {
    text.trim_start().replace('\n', "\r\n")
}

/// All of them, by name.
pub(crate) const ALL: [(&str, &str); 14] = [
    ("baresip", BARESIP),
    ("linphone", LINPHONE),
    ("browser", BROWSER),
    ("asterisk", ASTERISK),
    ("freeswitch", FREESWITCH),
    ("cisco", CISCO),
    ("snom hold", SNOM_HOLD),
    ("osrtp", OSRTP),
    ("fax", FAX),
    ("ipv6", IPV6),
    ("session defaults", SESSION_DEFAULTS),
    ("trunk", TRUNK),
    ("polycom", POLYCOM),
    ("unknown lines", UNKNOWN_LINES),
];

/// Two media, ICE off, DTMF.
pub(crate) const BARESIP: &str = "
v=0
o=- 1852361402 1009482365 IN IP4 10.64.0.7
s=-
c=IN IP4 10.64.0.7
t=0 0
a=tool:baresip 3.1.0
m=audio 21834 RTP/AVP 96 0 8 97
a=rtpmap:96 opus/48000/2
a=fmtp:96 stereo=1;sprop-stereo=1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:97 telephone-event/8000
a=fmtp:97 0-15
a=rtcp:21835
a=sendrecv
a=label:1
a=rtcp-rsize
a=ssrc:3735928559 cname:sip:alice@10.64.0.7
a=ptime:20
m=video 0 RTP/AVP 31
";

/// AVPF with SDES in several suites and two telephone-events.
pub(crate) const LINPHONE: &str = "
v=0
o=bob 3418 1542 IN IP4 192.168.1.40
s=Talk
c=IN IP4 192.168.1.40
t=0 0
a=ice-pwd:9b1f5a2f4c3e7d6a8b0c1d2e
a=ice-ufrag:4a3c7b1e
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
a=record:off
m=audio 42610 RTP/SAVPF 96 97 98 0 8 18 101 99
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:97 speex/16000
a=fmtp:97 vbr=on
a=rtpmap:98 speex/8000
a=fmtp:98 vbr=on
a=fmtp:18 annexb=yes
a=rtpmap:101 telephone-event/48000
a=rtpmap:99 telephone-event/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e
a=crypto:3 AES_CM_256_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLQ==
a=rtcp-fb:* trr-int 5000
a=rtcp-fb:* ccm tmmbr
a=candidate:1 1 UDP 2130706303 192.168.1.40 42610 typ host
a=candidate:1 2 UDP 2130706302 192.168.1.40 42611 typ host
a=candidate:2 1 UDP 1694498687 203.0.113.9 42610 typ srflx raddr 192.168.1.40 rport 42610
";

/// Bundled audio and video by DTLS, trickling, with mDNS candidates.
pub(crate) const BROWSER: &str = "
v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS 7d2a
m=audio 54400 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 203.0.113.77
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1467250027 1 udp 2122260223 0f2e6a54-1f1c-4d0c-9d2b-2b4b6b7a7a11.local 54400 typ host generation 0 network-id 1
a=candidate:2896278100 1 udp 1686052607 203.0.113.77 54400 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999
a=ice-ufrag:eW5x
a=ice-pwd:qC0ZkIMB2n0nJf3x5h9tTzQp
a=ice-options:trickle
a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:7d2a 9b11
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1399694169 cname:fU8a
a=ssrc:1399694169 msid:7d2a 9b11
m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:eW5x
a=ice-pwd:qC0ZkIMB2n0nJf3x5h9tTzQp
a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08
a=setup:actpass
a=mid:1
a=bundle-only
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=ssrc-group:FID 2231627014 632943048
a=ssrc:2231627014 cname:fU8a
a=ssrc:632943048 cname:fU8a
";

/// A plain trunk with maxptime.
pub(crate) const ASTERISK: &str = "
v=0
o=- 1273823 1273824 IN IP4 198.51.100.12
s=Asterisk
c=IN IP4 198.51.100.12
t=0 0
m=audio 14372 RTP/AVP 8 0 9 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:9 G722/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:150
a=sendrecv
";

/// One m-line twice: SRTP and plain; comfort noise.
pub(crate) const FREESWITCH: &str = "
v=0
o=FreeSWITCH 1718103245 1718103246 IN IP4 198.51.100.20
s=FreeSWITCH
c=IN IP4 198.51.100.20
t=0 0
m=audio 26530 RTP/SAVP 102 9 0 8 103 101 13
a=rtpmap:102 opus/48000/2
a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:103 telephone-event/48000
a=fmtp:103 0-15
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtpmap:13 CN/8000
a=crypto:1 AEAD_AES_256_GCM_8 inline:AAAA
a=crypto:2 AEAD_AES_256_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKis
a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^31|1:4
a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^31
a=ptime:20
m=audio 26530 RTP/AVP 0 8
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=ptime:20
";

/// Own connection lines, and an origin of its own kind.
pub(crate) const CISCO: &str = "
v=0
o=CiscoSystemsCCM-SIP 178429 1 IN IP4 10.10.20.5
s=SIP Call
c=IN IP4 10.10.20.9
b=TIAS:64000
b=AS:64
t=0 0
m=audio 24640 RTP/AVP 18 0 8 101
c=IN IP4 10.10.20.9
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:0 PCMU/8000
a=ptime:20
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
";

/// Held the old way.
pub(crate) const SNOM_HOLD: &str = "
v=0
o=root 1204213551 1204213553 IN IP4 0.0.0.0
s=call
c=IN IP4 0.0.0.0
t=0 0
m=audio 61554 RTP/AVP 9 0 8 101
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=sendrecv
";

/// Encryption as an offer under a plain protocol.
pub(crate) const OSRTP: &str = "
v=0
o=- 77 77 IN IP4 192.0.2.33
s=-
c=IN IP4 192.0.2.33
t=0 0
m=audio 49170 RTP/AVP 0 101
a=rtpmap:101 telephone-event/8000
a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd UNENCRYPTED_SRTCP
a=crypto:2 F8_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd
";

/// Fax beside an ended voice stream.
pub(crate) const FAX: &str = "
v=0
o=gw 2890844526 2890842808 IN IP4 192.0.2.90
s=-
c=IN IP4 192.0.2.90
t=0 0
m=audio 0 RTP/AVP 8
m=image 20126 UDPTL t38
a=T38FaxVersion:0
a=T38MaxBitRate:14400
a=T38FaxFillBitRemoval:0
a=T38FaxRateManagement:transferredTCF
a=T38FaxMaxBuffer:262
a=T38FaxMaxDatagram:90
a=T38FaxUdpEC:t38UDPRedundancy
";

/// IPv6, and RTCP at another address.
pub(crate) const IPV6: &str = "
v=0
o=- 10 11 IN IP6 2001:db8::17
s=-
c=IN IP6 2001:db8::17
t=0 0
m=audio 30000 RTP/AVPF 0
a=rtcp:30101 IN IP6 2001:db8::18
a=rtcp-fb:0 nack
a=recvonly
";

/// Keys, direction and ICE stand in the session part.
pub(crate) const SESSION_DEFAULTS: &str = "
v=0
o=gateway 5 6 IN IP4 203.0.113.40
s=call
c=IN IP4 203.0.113.40
t=0 0
a=sendonly
a=setup:active
a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2
a=ice-ufrag:8hhY
a=ice-pwd:asd88fgpdd777uzjYhagZg
a=ice-lite
m=audio 40000 RTP/SAVP 0
m=audio 40002 RTP/SAVP 8
c=IN IP4 203.0.113.41
a=setup:passive
a=inactive
";

/// Fork of a proxy: `s=` with blanks, `i=`, a band width, LF in the middle of nothing special, a chain mark.
pub(crate) const TRUNK: &str = "
v=0
o=SBC 20518 0 IN IP4 198.51.100.1
s= 
i=forked by proxy-7
e=ops@example.net
c=IN IP4 198.51.100.1
b=CT:1000
t=3034423619 3042462419
r=604800 3600 0 90000
a=rtpengine:5f2c8d1e
m=audio 49230/1 RTP/AVP 96 98
i=voice
b=AS:80
a=rtpmap:96 AMR/8000
a=fmtp:96 octet-align=1; mode-set=7
a=rtpmap:98 L16/11025/2
a=X-vendor:1;2;3
";

/// Several ports for RTCP, a label, and a mid.
pub(crate) const POLYCOM: &str = "
v=0
o=- 1668688220 1668688220 IN IP4 172.18.3.4
s=Polycom IP Phone
c=IN IP4 172.18.3.4
t=0 0
a=sendrecv
m=audio 2222 RTP/SAVP 9 102 0 8 18 127
a=mid:voice
a=label:17
a=rtpmap:9 G722/8000
a=rtpmap:102 G7221/16000
a=fmtp:102 bitrate=32000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:127 telephone-event/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd
a=rtcp-mux
";

/// Lines that no standard has.
pub(crate) const UNKNOWN_LINES: &str = "
v=0
o=x 1 1 IN IP4 gateway.example.com
s=-
q=what is this
c=IN IP4 gateway.example.com
t=0 0
a=
a=:
m=audio 5004 RTP/AVP 0 35
y=and this
a=rtpmap:0 PCMU/8000
a=fmtp:0
a=candidate:nonsense
a=ptime:soon
m=application 5006 TCP/MRCPv2 1
a=setup:active
a=connection:new
";
