/* Intel ipsec-mb in burst mode, as an SRTP implementer would drive it: one job a packet, a burst of packets,
 * buffers processed in place. Keys are session keys; counters and nonces come from the caller. */
#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>

struct cm_key { /* AES-CM with HMAC-SHA1 */
        DECLARE_ALIGNED(uint32_t enc[15 * 4], 16);
        DECLARE_ALIGNED(uint32_t dec[15 * 4], 16);
        DECLARE_ALIGNED(uint8_t ipad[IMB_SHA1_DIGEST_SIZE_IN_BYTES], 16);
        DECLARE_ALIGNED(uint8_t opad[IMB_SHA1_DIGEST_SIZE_IN_BYTES], 16);
};

struct packet {
        uint8_t *data;     /* header, then payload; four spare bytes behind it for the roll-over counter */
        uint8_t *tag;      /* out */
        const void *key;   /* struct cm_key or struct gcm_key_data */
        uint32_t header;
        uint32_t payload;
        uint8_t iv[16];
};

IMB_MGR *kaname_perf_imb_new(void)
{
        IMB_MGR *mgr = alloc_mb_mgr(0);
        if (mgr != NULL)
                init_mb_mgr_auto(mgr, NULL);
        return mgr;
}

void kaname_perf_imb_free(IMB_MGR *mgr) { free_mb_mgr(mgr); }

const char *kaname_perf_imb_version(void) { return imb_get_version_str(); }

void *kaname_perf_imb_cm_key(IMB_MGR *mgr, const uint8_t *aes, const uint8_t *auth)
{
        struct cm_key *key = aligned_alloc(64, (sizeof(*key) + 63) & ~(size_t)63);
        uint8_t block[IMB_SHA1_BLOCK_SIZE];
        int i;

        if (key == NULL)
                return NULL;
        IMB_AES_KEYEXP_128(mgr, aes, key->enc, key->dec);
        memset(block, 0x36, sizeof(block));
        for (i = 0; i < 20; i++)
                block[i] ^= auth[i];
        IMB_SHA1_ONE_BLOCK(mgr, block, key->ipad);
        memset(block, 0x5c, sizeof(block));
        for (i = 0; i < 20; i++)
                block[i] ^= auth[i];
        IMB_SHA1_ONE_BLOCK(mgr, block, key->opad);
        return key;
}

void *kaname_perf_imb_gcm_key(IMB_MGR *mgr, const uint8_t *aes, int bits)
{
        struct gcm_key_data *key = aligned_alloc(64, (sizeof(*key) + 63) & ~(size_t)63);

        if (key == NULL)
                return NULL;
        if (bits == 128)
                IMB_AES128_GCM_PRE(mgr, aes, key);
        else
                IMB_AES256_GCM_PRE(mgr, aes, key);
        return key;
}

static void fill_cm(IMB_JOB *job, const struct packet *p, int encrypt)
{
        const struct cm_key *key = p->key;

        job->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
        job->chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
        job->cipher_mode = IMB_CIPHER_CNTR;
        job->hash_alg = IMB_AUTH_HMAC_SHA_1;
        job->enc_keys = key->enc;
        job->dec_keys = key->dec;
        job->key_len_in_bytes = 16;
        job->src = p->data;
        job->dst = p->data + p->header;
        job->cipher_start_src_offset_in_bytes = p->header;
        job->msg_len_to_cipher_in_bytes = p->payload;
        job->iv = p->iv;
        job->iv_len_in_bytes = 16;
        job->hash_start_src_offset_in_bytes = 0;
        job->msg_len_to_hash_in_bytes = p->header + p->payload + 4;
        job->auth_tag_output = p->tag;
        job->auth_tag_output_len_in_bytes = 12; /* it writes 12 or 20; the caller takes 10 */
        job->u.HMAC._hashed_auth_key_xor_ipad = key->ipad;
        job->u.HMAC._hashed_auth_key_xor_opad = key->opad;
}

static void fill_gcm(IMB_JOB *job, const struct packet *p, int encrypt, int bits)
{
        job->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
        job->chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
        job->cipher_mode = IMB_CIPHER_GCM;
        job->hash_alg = IMB_AUTH_AES_GMAC;
        job->enc_keys = p->key;
        job->dec_keys = p->key;
        job->key_len_in_bytes = bits / 8;
        job->src = p->data;
        job->dst = p->data + p->header;
        job->cipher_start_src_offset_in_bytes = p->header;
        job->msg_len_to_cipher_in_bytes = p->payload;
        job->iv = p->iv;
        job->iv_len_in_bytes = 12;
        job->hash_start_src_offset_in_bytes = p->header;
        job->msg_len_to_hash_in_bytes = p->payload;
        job->u.GCM.aad = p->data;
        job->u.GCM.aad_len_in_bytes = p->header;
        job->auth_tag_output = p->tag;
        job->auth_tag_output_len_in_bytes = 16;
}

/* bits: 0 for AES_CM_128_HMAC_SHA1_80, else the size of the GCM key. Returns how many jobs completed. */
uint32_t kaname_perf_imb_run(IMB_MGR *mgr, const struct packet *packets, uint32_t n, int encrypt, int bits)
{
        IMB_JOB *jobs[IMB_MAX_BURST_SIZE];
        uint32_t done = 0;

        while (n > 0) {
                /* The ring of jobs is empty here and has room for all of these: twelve passes of its widest kernel. */
                uint32_t some = n < 192 ? n : 192, flushed;

                packets += some;
                n -= some;
                while (some > 0) {
                        uint32_t want = some < 64 ? some : 64, i;

                        if (IMB_GET_NEXT_BURST(mgr, want, jobs) < want)
                                return done;
                        for (i = 0; i < want; i++) {
                                if (bits == 0)
                                        fill_cm(jobs[i], packets - some + i, encrypt);
                                else
                                        fill_gcm(jobs[i], packets - some + i, encrypt, bits);
                        }
                        done += IMB_SUBMIT_BURST_NOCHECK(mgr, want, jobs);
                        some -= want;
                }
                while ((flushed = IMB_FLUSH_BURST(mgr, IMB_MAX_BURST_SIZE, jobs)) > 0)
                        done += flushed;
        }
        return done;
}
