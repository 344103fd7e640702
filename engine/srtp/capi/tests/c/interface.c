/*
 * libsrtp2's public interface, all of it, against values that are known: compiled against Debian's own header, run with our
 * library and with libsrtp2 itself. With the argument "kaname" it also does what libsrtp2 does not survive or does otherwise.
 * With the argument "layout" it prints sizes and offsets.
 */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <srtp2/srtp.h>

#define CHECK(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define STATUS(call, expected)                                                                                        \
    do {                                                                                                               \
        int status_ = (call);                                                                                          \
        if (status_ != (expected)) {                                                                                   \
            fprintf(stderr, "%s:%d: %s is %d\n", __FILE__, __LINE__, #call, status_);                                  \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define OK(call) STATUS(call, srtp_err_status_ok)

static int strict;

static unsigned char key_cm[46] = {
    0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41, 0x39,
    0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6, 0xc1, 0x73,
    0xc3, 0x17, 0xf2, 0xda, 0xbe, 0x35, 0x77, 0x93, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6,
};
static unsigned char key_gcm[28] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d,
    0x0e, 0x0f, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,
};
static unsigned char key_256[46] = {
    0xf0, 0xf0, 0x49, 0x14, 0xb5, 0x13, 0xf2, 0x76, 0x3a, 0x1b, 0x1f, 0xa1, 0x30, 0xf1, 0x0e, 0x29,
    0x98, 0xf6, 0xf6, 0xe4, 0x3e, 0x43, 0x09, 0xd1, 0xe6, 0x22, 0xa0, 0xe3, 0x32, 0xb9, 0xf1, 0xb6,
    0x3b, 0x04, 0x80, 0x3d, 0xe5, 0x1e, 0xe7, 0xc9, 0x64, 0x23, 0xab, 0x5b, 0x78, 0xd2,
};

#define PLAIN "800f1234decafbadcafebabeabababababababababababababababab"
#define REPORT "81c8000bcafebabeabababababababababababababababab"
#define SSRC 0xcafebabe

struct packet {
    unsigned char bytes[2048];
    int len;
};

static struct packet hex(const char *text)
{
    struct packet packet = { .len = (int)strlen(text) / 2 };
    memset(packet.bytes, 0xee, sizeof packet.bytes);
    for (int i = 0; i < packet.len; i++) {
        unsigned value;
        sscanf(text + 2 * i, "%2x", &value);
        packet.bytes[i] = (unsigned char)value;
    }
    return packet;
}

static int same(const struct packet *a, const struct packet *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, (size_t)a->len) == 0;
}

/* Nothing of the packet changed, length and room behind it included. */
static int untouched(const struct packet *a, const struct packet *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static srtp_policy_t policy_of(void (*set)(srtp_crypto_policy_t *), srtp_ssrc_type_t type, unsigned char *key)
{
    srtp_policy_t policy;
    memset(&policy, 0, sizeof policy);
    set(&policy.rtp);
    set(&policy.rtcp);
    policy.ssrc.type = type;
    policy.ssrc.value = SSRC;
    policy.key = key;
    return policy;
}

static srtp_t session_of(const srtp_policy_t *policy)
{
    srtp_t session = NULL;
    OK(srtp_create(&session, policy));
    CHECK(session != NULL);
    return session;
}

/* Protects to the known packet and back; then a replay, and every damaged byte. */
static void vector(void (*set)(srtp_crypto_policy_t *), unsigned char *key, const char *wire, const char *wire_report)
{
    srtp_policy_t policy = policy_of(set, ssrc_specific, key);
    srtp_t sender = session_of(&policy), receiver = session_of(&policy);
    struct packet plain = hex(PLAIN), expected = hex(wire), packet = plain;

    OK(srtp_protect(sender, packet.bytes, &packet.len));
    CHECK(same(&packet, &expected));
    if (strict) {
        CHECK(packet.bytes[packet.len] == 0xee);
        for (int at = 12; at < packet.len; at++) {
            struct packet bad = packet, before;
            bad.bytes[at] ^= 0x40;
            before = bad;
            STATUS(srtp_unprotect(receiver, bad.bytes, &bad.len), srtp_err_status_auth_fail);
            CHECK(untouched(&bad, &before));
        }
    }
    struct packet again = packet;
    OK(srtp_unprotect(receiver, packet.bytes, &packet.len));
    CHECK(same(&packet, &plain));
    STATUS(srtp_unprotect(receiver, again.bytes, &again.len), srtp_err_status_replay_fail);
    again = plain;
    STATUS(srtp_protect(sender, again.bytes, &again.len), srtp_err_status_replay_fail);

    if (wire_report) {
        struct packet report = hex(REPORT), expected = hex(wire_report), packet = report;
        OK(srtp_protect_rtcp(sender, packet.bytes, &packet.len));
        CHECK(same(&packet, &expected));
        OK(srtp_unprotect_rtcp(receiver, packet.bytes, &packet.len));
        CHECK(same(&packet, &report));
        packet = expected;
        STATUS(srtp_unprotect_rtcp(receiver, packet.bytes, &packet.len), srtp_err_status_replay_fail);
    }
    OK(srtp_dealloc(sender));
    OK(srtp_dealloc(receiver));
}

static void vectors(void)
{
    vector(srtp_crypto_policy_set_rtp_default, key_cm,
           "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
           "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");
    vector(srtp_crypto_policy_set_null_cipher_hmac_sha1_80, key_cm, PLAIN "aba136270b679134ce9b",
           REPORT "00000001fe88c7fdfd37ebce615d");
    vector(srtp_crypto_policy_set_aes_gcm_128_16_auth, key_gcm,
           "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
           "81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001");
    vector(srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, key_256,
           "800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b", NULL);
}

static void check_policy(void (*set)(srtp_crypto_policy_t *), unsigned cipher, int key, unsigned auth, int auth_key, int tag,
                         int services)
{
    srtp_crypto_policy_t policy;
    memset(&policy, 0xee, sizeof policy);
    set(&policy);
    CHECK(policy.cipher_type == cipher && policy.cipher_key_len == key);
    CHECK(policy.auth_type == auth && policy.auth_key_len == auth_key && policy.auth_tag_len == tag);
    CHECK((int)policy.sec_serv == services);
}

static void policies(void)
{
    check_policy(srtp_crypto_policy_set_rtp_default, 1, 30, 3, 20, 10, 3);
    check_policy(srtp_crypto_policy_set_rtcp_default, 1, 30, 3, 20, 10, 3);
    check_policy(srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, 1, 30, 3, 20, 4, 3);
    check_policy(srtp_crypto_policy_set_aes_cm_128_null_auth, 1, 30, 0, 0, 0, 1);
    check_policy(srtp_crypto_policy_set_null_cipher_hmac_sha1_80, 0, 30, 3, 20, 10, 2);
    check_policy(srtp_crypto_policy_set_null_cipher_hmac_null, 0, 30, 0, 0, 0, 0);
    check_policy(srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, 5, 46, 3, 20, 10, 3);
    check_policy(srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32, 5, 46, 3, 20, 4, 3);
    check_policy(srtp_crypto_policy_set_aes_cm_256_null_auth, 5, 46, 0, 0, 0, 1);
    check_policy(srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80, 4, 38, 3, 20, 10, 3);
    check_policy(srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32, 4, 38, 3, 20, 4, 3);
    check_policy(srtp_crypto_policy_set_aes_cm_192_null_auth, 4, 38, 0, 0, 0, 1);
    check_policy(srtp_crypto_policy_set_aes_gcm_128_8_auth, 6, 28, 0, 0, 8, 3);
    check_policy(srtp_crypto_policy_set_aes_gcm_256_8_auth, 7, 44, 0, 0, 8, 3);
    check_policy(srtp_crypto_policy_set_aes_gcm_128_8_only_auth, 6, 28, 0, 0, 8, 2);
    check_policy(srtp_crypto_policy_set_aes_gcm_256_8_only_auth, 7, 44, 0, 0, 8, 2);
    check_policy(srtp_crypto_policy_set_aes_gcm_128_16_auth, 6, 28, 0, 0, 16, 3);
    check_policy(srtp_crypto_policy_set_aes_gcm_256_16_auth, 7, 44, 0, 0, 16, 3);

    static const struct {
        unsigned profile, key, salt;
        int tag, rtcp_tag;
    } profiles[] = {
        { 1, 16, 14, 10, 10 }, { 2, 16, 14, 4, 10 }, { 5, 16, 14, 10, 10 }, { 7, 16, 12, 16, 16 }, { 8, 32, 12, 16, 16 },
    };
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        srtp_crypto_policy_t policy;
        OK(srtp_crypto_policy_set_from_profile_for_rtp(&policy, (srtp_profile_t)profiles[i].profile));
        CHECK(policy.auth_tag_len == profiles[i].tag);
        OK(srtp_crypto_policy_set_from_profile_for_rtcp(&policy, (srtp_profile_t)profiles[i].profile));
        CHECK(policy.auth_tag_len == profiles[i].rtcp_tag);
        CHECK(srtp_profile_get_master_key_length((srtp_profile_t)profiles[i].profile) == profiles[i].key);
        CHECK(srtp_profile_get_master_salt_length((srtp_profile_t)profiles[i].profile) == profiles[i].salt);
    }
    srtp_crypto_policy_t policy;
    STATUS(srtp_crypto_policy_set_from_profile_for_rtp(&policy, srtp_profile_null_sha1_32), srtp_err_status_bad_param);
    STATUS(srtp_crypto_policy_set_from_profile_for_rtcp(&policy, (srtp_profile_t)99), srtp_err_status_bad_param);
    CHECK(srtp_profile_get_master_key_length((srtp_profile_t)99) == 0);
    CHECK(srtp_profile_get_master_salt_length((srtp_profile_t)99) == 0);

    unsigned char key[8] = { 1, 2, 3, 4 }, salt[4] = { 5, 6, 7, 8 };
    srtp_append_salt_to_key(key, 4, salt, 4);
    CHECK(memcmp(key, "\1\2\3\4\5\6\7\10", 8) == 0);
}

/* Several master keys, chosen by MKI. */
static void mki(void)
{
    unsigned char first[4] = { 0xe1, 0xf9, 0x7a, 0x0d }, second[2] = { 9, 8 };
    srtp_master_key_t a = { key_cm, first, 4 }, b = { key_256, second, 2 }, *keys[2] = { &a, &b };
    srtp_policy_t policy = policy_of(srtp_crypto_policy_set_rtp_default, ssrc_any_outbound, NULL);
    policy.keys = keys;
    policy.num_master_keys = 2;
    srtp_t sender = session_of(&policy);
    policy.ssrc.type = ssrc_any_inbound;
    srtp_t receiver = session_of(&policy);

    struct packet packet = hex(PLAIN);
    struct packet expected = hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402e1f97a0db78d6acc99ea179b8dbb");
    OK(srtp_protect_mki(sender, packet.bytes, &packet.len, 1, 0));
    CHECK(same(&packet, &expected));
    struct packet bad = packet;
    bad.bytes[28] ^= 1;
    STATUS(srtp_unprotect_mki(receiver, bad.bytes, &bad.len, 1), srtp_err_status_bad_mki);
    OK(srtp_unprotect_mki(receiver, packet.bytes, &packet.len, 1));
    CHECK(packet.len == 28);
    packet = hex(PLAIN);
    packet.bytes[3]++;
    OK(srtp_protect_mki(sender, packet.bytes, &packet.len, 1, 1));
    CHECK(packet.len == 28 + 2 + 10);
    OK(srtp_unprotect_mki(receiver, packet.bytes, &packet.len, 1));
    packet = hex(PLAIN);
    STATUS(srtp_protect_mki(sender, packet.bytes, &packet.len, 1, 2), srtp_err_status_bad_mki);

    packet = hex(REPORT);
    OK(srtp_protect_rtcp_mki(sender, packet.bytes, &packet.len, 1, 1));
    CHECK(packet.len == 24 + 4 + 2 + 10);
    OK(srtp_unprotect_rtcp_mki(receiver, packet.bytes, &packet.len, 1));
    packet = hex(REPORT);
    STATUS(srtp_protect_rtcp_mki(sender, packet.bytes, &packet.len, 1, 2), srtp_err_status_bad_mki);

    uint32_t length = 0;
    OK(srtp_get_protect_trailer_length(sender, 0, 0, &length));
    CHECK(length == 10);
    OK(srtp_get_protect_trailer_length(sender, 1, 0, &length));
    CHECK(length == 14);
    OK(srtp_get_protect_rtcp_trailer_length(sender, 1, 1, &length));
    CHECK(length == 16);
    OK(srtp_dealloc(sender));
    OK(srtp_dealloc(receiver));
}

/* RFC 6904 appendix A. */
static void extensions(void)
{
    int ids[3] = { 1, 3, 4 };
    srtp_policy_t policy = policy_of(srtp_crypto_policy_set_rtp_default, ssrc_specific, key_cm);
    policy.enc_xtn_hdr = ids;
    policy.enc_xtn_hdr_count = 3;
    srtp_t sender = session_of(&policy), receiver = session_of(&policy);
    struct packet plain = hex("900f1234decafbadcafebabebede000617414273a475262748220000c8308e4655996386b395fb00"
                              "abababababababababababababababab");
    struct packet expected = hex("900f1234decafbadcafebabebede000617588a9270f4e15e1c220000c8309546a994f0bc54789700"
                                 "4e55dc4ce79978d88ca4d215949d24025a46b3ca35c535a891c7");
    struct packet packet = plain;
    OK(srtp_protect(sender, packet.bytes, &packet.len));
    CHECK(same(&packet, &expected));
    OK(srtp_unprotect(receiver, packet.bytes, &packet.len));
    CHECK(same(&packet, &plain));
    OK(srtp_dealloc(sender));
    OK(srtp_dealloc(receiver));
}

static int events;
static srtp_event_data_t last_event;

static void on_event(srtp_event_data_t *data)
{
    events++;
    last_event = *data;
}

static void on_log(srtp_log_level_t level, const char *message, void *data)
{
    (void)level;
    (void)message;
    ++*(int *)data;
}

static struct packet numbered(unsigned seq)
{
    struct packet packet = hex(PLAIN);
    packet.bytes[2] = (unsigned char)(seq >> 8);
    packet.bytes[3] = (unsigned char)seq;
    return packet;
}

/* Streams that come and go and change their keys. */
static void streams(void)
{
    srtp_policy_t second = policy_of(srtp_crypto_policy_set_aes_gcm_128_16_auth, ssrc_specific, key_gcm);
    second.ssrc.value = 0x01020304;
    srtp_policy_t first = policy_of(srtp_crypto_policy_set_rtp_default, ssrc_specific, key_cm);
    first.next = &second;
    srtp_t sender = session_of(&first), receiver = session_of(&first);
    struct packet packet = numbered(65535);
    OK(srtp_protect(sender, packet.bytes, &packet.len));
    OK(srtp_unprotect(receiver, packet.bytes, &packet.len));
    packet = numbered(0);
    OK(srtp_protect(sender, packet.bytes, &packet.len));
    OK(srtp_unprotect(receiver, packet.bytes, &packet.len));
    uint32_t roc = 99;
    OK(srtp_get_stream_roc(sender, SSRC, &roc));
    CHECK(roc == 1);
    STATUS(srtp_get_stream_roc(sender, 5, &roc), srtp_err_status_bad_param);
    STATUS(srtp_set_stream_roc(sender, 5, 1), srtp_err_status_bad_param);

    struct packet stranger = numbered(1);
    stranger.bytes[11] ^= 1;
    STATUS(srtp_protect(sender, stranger.bytes, &stranger.len), srtp_err_status_no_ctx);
    stranger = hex(REPORT);
    stranger.bytes[7] ^= 1;
    STATUS(srtp_protect_rtcp(sender, stranger.bytes, &stranger.len), srtp_err_status_no_ctx);

    /* New keys, the same roll-over counter. */
    first.next = NULL;
    first.key = key_256;
    OK(srtp_update(sender, &first));
    OK(srtp_update_stream(receiver, &first));
    packet = numbered(1);
    OK(srtp_protect(sender, packet.bytes, &packet.len));
    OK(srtp_unprotect(receiver, packet.bytes, &packet.len));
    OK(srtp_get_stream_roc(receiver, SSRC, &roc));
    CHECK(roc == 1);
    first.ssrc.value = 77;
    STATUS(srtp_update(sender, &first), srtp_err_status_bad_param);
    first.ssrc.value = SSRC;

    OK(srtp_set_stream_roc(sender, SSRC, 7));
    OK(srtp_set_stream_roc(receiver, SSRC, 7));
    packet = numbered(2);
    OK(srtp_protect(sender, packet.bytes, &packet.len));
    OK(srtp_unprotect(receiver, packet.bytes, &packet.len));
    OK(srtp_get_stream_roc(receiver, SSRC, &roc));
    CHECK(roc == 7);

    /* The SSRC of a stream to be removed is in network order, that of all others in host order. */
    OK(srtp_remove_stream(sender, htonl(0x01020304)));
    STATUS(srtp_remove_stream(sender, htonl(0x01020304)), srtp_err_status_no_ctx);
    OK(srtp_add_stream(sender, &second));
    srtp_policy_t wild = policy_of(srtp_crypto_policy_set_rtp_default, ssrc_any_outbound, key_cm);
    OK(srtp_add_stream(sender, &wild));
    STATUS(srtp_add_stream(sender, &wild), srtp_err_status_bad_param);
    wild.ssrc.type = ssrc_undefined;
    STATUS(srtp_add_stream(sender, &wild), srtp_err_status_bad_param);
    stranger = numbered(1);
    stranger.bytes[11] ^= 1;
    OK(srtp_protect(sender, stranger.bytes, &stranger.len));

    int data;
    CHECK(srtp_get_user_data(sender) == NULL);
    srtp_set_user_data(sender, &data);
    CHECK(srtp_get_user_data(sender) == &data);
    OK(srtp_dealloc(sender));
    OK(srtp_dealloc(receiver));

    srtp_t empty = session_of(NULL);
    packet = numbered(1);
    STATUS(srtp_protect(empty, packet.bytes, &packet.len), srtp_err_status_no_ctx);
    uint32_t length;
    STATUS(srtp_get_protect_trailer_length(empty, 0, 0, &length), srtp_err_status_bad_param);
    OK(srtp_dealloc(empty));
}

/* Policies that cannot be. */
static void refused_policies(void)
{
    srtp_t session;
    const srtp_policy_t good = policy_of(srtp_crypto_policy_set_rtp_default, ssrc_any_inbound, key_cm);
    srtp_policy_t bad = good;
    bad.window_size = 63;
    STATUS(srtp_create(&session, &bad), srtp_err_status_bad_param);
    bad.window_size = 0x8000;
    STATUS(srtp_create(&session, &bad), srtp_err_status_bad_param);
    bad = good;
    bad.allow_repeat_tx = 2;
    STATUS(srtp_create(&session, &bad), srtp_err_status_bad_param);
    bad = good;
    bad.key = NULL;
    STATUS(srtp_create(&session, &bad), srtp_err_status_bad_param);
    bad = good;
    bad.deprecated_ekt = &bad;
    STATUS(srtp_create(&session, &bad), srtp_err_status_bad_param);
    bad = good;
    bad.rtp.cipher_key_len = 31;
    CHECK(srtp_create(&session, &bad) != srtp_err_status_ok);
    bad = good;
    bad.rtp.cipher_type = 77;
    CHECK(srtp_create(&session, &bad) != srtp_err_status_ok);
    bad = good;
    bad.rtcp.auth_type = 77;
    CHECK(srtp_create(&session, &bad) != srtp_err_status_ok);
    bad = good;
    bad.rtp.auth_tag_len = 21;
    CHECK(srtp_create(&session, &bad) != srtp_err_status_ok);
    CHECK(session == NULL);
}

/* Short packets, E=0, repeats, windows, services. */
static void packets(void)
{
    srtp_policy_t policy = policy_of(srtp_crypto_policy_set_rtp_default, ssrc_any_inbound, key_cm);
    policy.window_size = 64;
    srtp_t receiver = session_of(&policy);
    policy.ssrc.type = ssrc_any_outbound;
    policy.allow_repeat_tx = 1;
    srtp_t sender = session_of(&policy);

    struct packet first = numbered(1), again = numbered(1);
    OK(srtp_protect(sender, first.bytes, &first.len));
    OK(srtp_protect(sender, again.bytes, &again.len));
    CHECK(same(&first, &again));
    struct packet packet = numbered(100);
    OK(srtp_protect(sender, packet.bytes, &packet.len));
    OK(srtp_unprotect(receiver, packet.bytes, &packet.len));
    STATUS(srtp_unprotect(receiver, first.bytes, &first.len), srtp_err_status_replay_old);

    for (int len = 0; len < 22; len++) {
        struct packet before;
        packet = numbered(200);
        packet.len = len;
        before = packet;
        CHECK(srtp_unprotect(receiver, packet.bytes, &packet.len) != srtp_err_status_ok);
        CHECK(untouched(&packet, &before));
        if (len < 12) {
            STATUS(srtp_protect(sender, packet.bytes, &packet.len), srtp_err_status_bad_param);
            CHECK(untouched(&packet, &before));
        }
    }
    packet = hex(REPORT);
    packet.len = 7;
    STATUS(srtp_protect_rtcp(sender, packet.bytes, &packet.len), srtp_err_status_bad_param);
    for (int len = 0; len < 22; len++) {
        packet.len = len;
        STATUS(srtp_unprotect_rtcp(receiver, packet.bytes, &packet.len), srtp_err_status_bad_param);
    }
    packet = hex(REPORT);
    OK(srtp_protect_rtcp(sender, packet.bytes, &packet.len));
    packet.bytes[24] &= 0x7f;
    STATUS(srtp_unprotect_rtcp(receiver, packet.bytes, &packet.len), srtp_err_status_cant_check);
    /* A header whose extension runs past the packet. */
    packet = numbered(300);
    packet.bytes[0] |= 0x10;
    STATUS(srtp_protect(sender, packet.bytes, &packet.len), srtp_err_status_bad_param);
    OK(srtp_dealloc(sender));
    OK(srtp_dealloc(receiver));

    /* No authentication, and nothing at all. */
    policy = policy_of(srtp_crypto_policy_set_aes_cm_128_null_auth, ssrc_specific, key_cm);
    srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
    sender = session_of(&policy);
    packet = hex(PLAIN);
    OK(srtp_protect(sender, packet.bytes, &packet.len));
    struct packet expected = hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402");
    CHECK(same(&packet, &expected));
    OK(srtp_dealloc(sender));
    policy = policy_of(srtp_crypto_policy_set_null_cipher_hmac_null, ssrc_specific, key_cm);
    sender = session_of(&policy);
    packet = hex(PLAIN);
    OK(srtp_protect(sender, packet.bytes, &packet.len));
    expected = hex(PLAIN);
    CHECK(same(&packet, &expected));
    OK(srtp_dealloc(sender));
}

static void handlers(void)
{
    int logged = 0;
    OK(srtp_install_event_handler(on_event));
    OK(srtp_install_log_handler(on_log, &logged));
    srtp_policy_t policy = policy_of(srtp_crypto_policy_set_rtp_default, ssrc_specific, key_cm);
    srtp_t sender = session_of(&policy), both = session_of(&policy);
    struct packet packet = numbered(1);
    OK(srtp_protect(sender, packet.bytes, &packet.len));
    OK(srtp_unprotect(both, packet.bytes, &packet.len));
    CHECK(events == 0);
    packet = numbered(2);
    OK(srtp_protect(both, packet.bytes, &packet.len));
    CHECK(events == 1 && last_event.session == both && last_event.event == event_ssrc_collision);
    CHECK(last_event.ssrc == SSRC);
    OK(srtp_install_event_handler(NULL));
    packet = numbered(3);
    OK(srtp_protect(both, packet.bytes, &packet.len));
    CHECK(events == 1);
    OK(srtp_set_debug_module("srtp", 0));
    STATUS(srtp_set_debug_module("no such module", 1), srtp_err_status_fail);
    OK(srtp_list_debug_modules());
    CHECK(logged > 0);
    OK(srtp_install_log_handler(NULL, NULL));
    OK(srtp_dealloc(sender));
    OK(srtp_dealloc(both));

    CHECK(strncmp(srtp_get_version_string(), "libsrtp2 2.5.0", 14) == 0);
    CHECK(srtp_get_version() == 0x02050000);
}

/* What libsrtp2 does not survive. */
static void hostile(void)
{
    srtp_policy_t policy = policy_of(srtp_crypto_policy_set_rtp_default, ssrc_any_outbound, key_cm);
    srtp_t session = session_of(&policy), none = NULL;
    struct packet packet = hex(PLAIN), before = packet;
    int len = 28;
    uint32_t word = 5;
    STATUS(srtp_create(NULL, &policy), srtp_err_status_bad_param);
    STATUS(srtp_dealloc(NULL), srtp_err_status_bad_param);
    STATUS(srtp_protect(NULL, packet.bytes, &len), srtp_err_status_bad_param);
    STATUS(srtp_protect(session, NULL, &len), srtp_err_status_bad_param);
    STATUS(srtp_protect(session, packet.bytes, NULL), srtp_err_status_bad_param);
    STATUS(srtp_unprotect(NULL, packet.bytes, &len), srtp_err_status_bad_param);
    STATUS(srtp_unprotect(session, NULL, &len), srtp_err_status_bad_param);
    STATUS(srtp_unprotect(session, packet.bytes, NULL), srtp_err_status_bad_param);
    STATUS(srtp_protect_rtcp(NULL, packet.bytes, &len), srtp_err_status_bad_param);
    STATUS(srtp_unprotect_rtcp(session, NULL, &len), srtp_err_status_bad_param);
    static const int lengths[] = { -1, -2147483647 - 1, 2147483647, 65536 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        len = lengths[i];
        STATUS(srtp_protect(session, packet.bytes, &len), srtp_err_status_bad_param);
        STATUS(srtp_unprotect(session, packet.bytes, &len), srtp_err_status_bad_param);
        STATUS(srtp_protect_rtcp(session, packet.bytes, &len), srtp_err_status_bad_param);
        STATUS(srtp_unprotect_rtcp(session, packet.bytes, &len), srtp_err_status_bad_param);
        CHECK(len == lengths[i]);
    }
    CHECK(untouched(&packet, &before));
    STATUS(srtp_add_stream(session, NULL), srtp_err_status_bad_param);
    STATUS(srtp_add_stream(NULL, &policy), srtp_err_status_bad_param);
    STATUS(srtp_update(session, NULL), srtp_err_status_bad_param);
    STATUS(srtp_update_stream(NULL, &policy), srtp_err_status_bad_param);
    STATUS(srtp_remove_stream(NULL, 1), srtp_err_status_bad_param);
    STATUS(srtp_get_stream_roc(NULL, 1, &word), srtp_err_status_bad_param);
    STATUS(srtp_get_stream_roc(session, 1, NULL), srtp_err_status_bad_param);
    STATUS(srtp_set_stream_roc(NULL, 1, 1), srtp_err_status_bad_param);
    STATUS(srtp_get_protect_trailer_length(session, 0, 0, NULL), srtp_err_status_bad_param);
    STATUS(srtp_get_protect_trailer_length(session, 1, 5, &word), srtp_err_status_bad_param);
    STATUS(srtp_get_protect_rtcp_trailer_length(NULL, 0, 0, &word), srtp_err_status_bad_param);
    CHECK(word == 5);
    STATUS(srtp_set_debug_module(NULL, 1), srtp_err_status_bad_param);
    STATUS(srtp_crypto_policy_set_from_profile_for_rtp(NULL, srtp_profile_aes128_cm_sha1_80), srtp_err_status_bad_param);
    srtp_crypto_policy_set_rtp_default(NULL);
    srtp_append_salt_to_key(NULL, 1, NULL, 1);
    srtp_set_user_data(NULL, &word);
    CHECK(srtp_get_user_data(NULL) == NULL);

    /* Null in the middle of what a policy points to, and a list without an end. */
    srtp_master_key_t key = { NULL, NULL, 0 }, *keys[2] = { NULL, &key };
    policy.key = NULL;
    policy.num_master_keys = 2;
    STATUS(srtp_create(&none, &policy), srtp_err_status_bad_param);
    policy.keys = keys;
    STATUS(srtp_create(&none, &policy), srtp_err_status_bad_param);
    keys[0] = &key;
    STATUS(srtp_create(&none, &policy), srtp_err_status_bad_param);
    key.key = key_cm;
    key.mki_size = 4;
    STATUS(srtp_create(&none, &policy), srtp_err_status_bad_param);
    key.mki_id = key_256;
    key.mki_size = 129;
    STATUS(srtp_create(&none, &policy), srtp_err_status_bad_param);
    policy.num_master_keys = (unsigned long)-1;
    STATUS(srtp_create(&none, &policy), srtp_err_status_bad_param);
    policy = policy_of(srtp_crypto_policy_set_rtp_default, ssrc_any_outbound, key_cm);
    policy.next = &policy;
    STATUS(srtp_create(&none, &policy), srtp_err_status_bad_param);
    CHECK(none == NULL);

    /* What was sent stays sent, although the stream was removed. */
    packet = hex(PLAIN);
    OK(srtp_protect(session, packet.bytes, &packet.len));
    OK(srtp_remove_stream(session, htonl(SSRC)));
    packet = hex(PLAIN);
    STATUS(srtp_protect(session, packet.bytes, &packet.len), srtp_err_status_replay_fail);
    OK(srtp_dealloc(session));
}

#define SHOW(type, field) printf(#type "." #field " %zu\n", offsetof(type, field))

static void layout(void)
{
    printf("srtp_policy_t %zu\n", sizeof(srtp_policy_t));
    printf("srtp_crypto_policy_t %zu\n", sizeof(srtp_crypto_policy_t));
    printf("srtp_master_key_t %zu\n", sizeof(srtp_master_key_t));
    printf("srtp_event_data_t %zu\n", sizeof(srtp_event_data_t));
    SHOW(srtp_policy_t, ssrc);
    SHOW(srtp_policy_t, rtp);
    SHOW(srtp_policy_t, rtcp);
    SHOW(srtp_policy_t, key);
    SHOW(srtp_policy_t, keys);
    SHOW(srtp_policy_t, num_master_keys);
    SHOW(srtp_policy_t, deprecated_ekt);
    SHOW(srtp_policy_t, window_size);
    SHOW(srtp_policy_t, allow_repeat_tx);
    SHOW(srtp_policy_t, enc_xtn_hdr);
    SHOW(srtp_policy_t, enc_xtn_hdr_count);
    SHOW(srtp_policy_t, next);
    SHOW(srtp_crypto_policy_t, cipher_type);
    SHOW(srtp_crypto_policy_t, cipher_key_len);
    SHOW(srtp_crypto_policy_t, auth_type);
    SHOW(srtp_crypto_policy_t, auth_key_len);
    SHOW(srtp_crypto_policy_t, auth_tag_len);
    SHOW(srtp_crypto_policy_t, sec_serv);
    SHOW(srtp_master_key_t, key);
    SHOW(srtp_master_key_t, mki_id);
    SHOW(srtp_master_key_t, mki_size);
    SHOW(srtp_event_data_t, session);
    SHOW(srtp_event_data_t, ssrc);
    SHOW(srtp_event_data_t, event);
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "layout") == 0) {
        layout();
        return 0;
    }
    strict = count > 1 && strcmp(arguments[1], "kaname") == 0;
    OK(srtp_init());
    policies();
    vectors();
    mki();
    extensions();
    streams();
    refused_policies();
    packets();
    handlers();
    if (strict) {
        hostile();
    }
    OK(srtp_shutdown());
    puts("all passed");
    return 0;
}
