/*
 * Kaname's addition to libsrtp2's interface: many packets of many sessions in one call.
 *
 * Sessions are made and configured with <srtp2/srtp.h>. A program that uses these calls links against this library itself;
 * libsrtp2 does not have them.
 */
#ifndef KANAME_SRTP_H
#define KANAME_SRTP_H

#include <stddef.h>
#include <srtp2/srtp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One packet: read from input, written to output. Fields that are left out of an initializer are zero, as they should be. */
typedef struct kaname_srtp_job_t {
    srtp_t session;             /* whose packet it is                                      */
    const unsigned char *input; /* the packet; many jobs may share one                     */
    size_t input_len;           /* its bytes                                               */
    unsigned char *output;      /* where the result goes; overlaps no input and no output  */
    size_t output_room;         /* bytes of room there; too little is an error, not a fault */
    size_t output_len;          /* out: bytes written, 0 if the status is not ok           */
    srtp_err_status_t status;   /* out: how it went                                        */
    unsigned int use_mki;       /* 0: packets have no MKI; otherwise as in srtp_protect_mki */
    unsigned int mki_index;     /* and srtp_unprotect_mki, which does not look at this one */
} kaname_srtp_job_t;

/*
 * Protects or unprotects `count` RTP packets, best a few hundred at a time. A session may have any number of them.
 * Returns srtp_err_status_ok if every job's status is; otherwise the jobs tell which went wrong, and the others went through.
 * Statuses, bytes and what becomes of the sessions are those of srtp_protect_mki and srtp_unprotect_mki, called for one job after
 * the other. A refused packet changes nothing; its output holds what it held, or zeros. Nothing is allocated for a packet.
 * Packets with an MKI go together under AES-GCM, and one by one under all else; so do, always, those with encrypted header extensions.
 */
srtp_err_status_t kaname_srtp_protect_batch(kaname_srtp_job_t *jobs, size_t count);
srtp_err_status_t kaname_srtp_unprotect_batch(kaname_srtp_job_t *jobs, size_t count);

/* What does the work on this machine: "portable", "aesni", "vaes256" or "vaes512". */
const char *kaname_srtp_backend(void);

#ifdef __cplusplus
}
#endif

#endif
