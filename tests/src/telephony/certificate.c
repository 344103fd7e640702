/* Debian's baresip makes itself an RSA certificate for DTLS. This gives it the one that is in a file instead, as its later
 * versions have it; the library asks for the other one by this name. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct tls;
int tls_set_certificate(struct tls *tls, const char *pem, size_t len);

int tls_set_selfsigned_rsa(struct tls *tls, const char *name, size_t bits)
{
	static char pem[16384];
	const char *path = getenv("KANAME_TEST_CERTIFICATE");
	FILE *file = path ? fopen(path, "r") : NULL;
	size_t len;

	(void)name;
	(void)bits;
	if (!file)
		return 2;
	len = fread(pem, 1, sizeof(pem), file);
	fclose(file);
	return tls_set_certificate(tls, pem, len);
}
