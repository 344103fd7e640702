/*
 * One packet to many receivers, each with keys of its own: in one call, and by libsrtp2's calls one by one.
 *
 *   cc -O2 -Iinclude fan_out.c -L<folder of the library> -lsrtp2 && LD_LIBRARY_PATH=<that folder> ./a.out
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kaname_srtp.h>

enum { RECEIVERS = 100, ROUNDS = 2000, HEADER = 12, PAYLOAD = 160, ROOM = HEADER + PAYLOAD + SRTP_MAX_TRAILER_LEN };

static srtp_t session(int number, srtp_ssrc_type_t direction)
{
    unsigned char key[SRTP_AES_GCM_128_KEY_LEN_WSALT];
    srtp_policy_t policy;
    srtp_t session;

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (unsigned char)(i * 7 + (size_t)number); /* a real one comes from DTLS */
    }
    memset(&policy, 0, sizeof policy);
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
    policy.ssrc.type = direction;
    policy.key = key;
    if (srtp_create(&session, &policy) != srtp_err_status_ok) {
        exit(1);
    }
    return session;
}

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void number(unsigned char *packet, int seq)
{
    packet[2] = (unsigned char)(seq >> 8);
    packet[3] = (unsigned char)seq;
}

int main(void)
{
    static unsigned char wires[RECEIVERS][ROOM], plains[RECEIVERS][ROOM];
    static kaname_srtp_job_t protect[RECEIVERS], unprotect[RECEIVERS];
    unsigned char packet[HEADER + PAYLOAD] = { 0x80, 96 };
    double begin, batch_ns, single_ns;
    int seq = 0;

    if (srtp_init() != srtp_err_status_ok) {
        return 1;
    }
    for (int i = 0; i < RECEIVERS; i++) {
        protect[i].session = session(i, ssrc_any_outbound);
        protect[i].input = packet;
        protect[i].input_len = sizeof packet;
        protect[i].output = wires[i];
        protect[i].output_room = ROOM;
        unprotect[i].session = session(i, ssrc_any_inbound);
        unprotect[i].input = wires[i];
        unprotect[i].output = plains[i];
        unprotect[i].output_room = ROOM;
    }

    begin = now_ns();
    for (int round = 0; round < ROUNDS; round++) {
        number(packet, seq++);
        if (kaname_srtp_protect_batch(protect, RECEIVERS) != srtp_err_status_ok) {
            return 1;
        }
    }
    batch_ns = (now_ns() - begin) / (ROUNDS * RECEIVERS);

    /* The last round comes back whole at every receiver, once. */
    for (int i = 0; i < RECEIVERS; i++) {
        unprotect[i].input_len = protect[i].output_len;
    }
    if (kaname_srtp_unprotect_batch(unprotect, RECEIVERS) != srtp_err_status_ok) {
        return 1;
    }
    for (int i = 0; i < RECEIVERS; i++) {
        if (unprotect[i].output_len != sizeof packet || memcmp(plains[i], packet, sizeof packet) != 0) {
            return 1;
        }
    }
    if (kaname_srtp_unprotect_batch(unprotect, RECEIVERS) == srtp_err_status_ok
        || unprotect[0].status != srtp_err_status_replay_fail) {
        return 1;
    }

    begin = now_ns();
    for (int round = 0; round < ROUNDS; round++) {
        number(packet, seq++);
        for (int i = 0; i < RECEIVERS; i++) {
            int len = sizeof packet;
            memcpy(wires[i], packet, sizeof packet);
            if (srtp_protect(protect[i].session, wires[i], &len) != srtp_err_status_ok) {
                return 1;
            }
        }
    }
    single_ns = (now_ns() - begin) / (ROUNDS * RECEIVERS);

    printf("%s: %d receivers, %d bytes: %.0f ns a packet in batches, %.0f ns one by one\n", kaname_srtp_backend(), RECEIVERS,
           PAYLOAD, batch_ns, single_ns);
    for (int i = 0; i < RECEIVERS; i++) {
        srtp_dealloc(protect[i].session);
        srtp_dealloc(unprotect[i].session);
    }
    return 0;
}
