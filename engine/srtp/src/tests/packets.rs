//! Packets of the RFCs and of libsrtp's tests, as data: hexadecimal, plain first.

/// RFC 9335 appendix A: plain, AES-CM-128 with HMAC-SHA1-80, AES-GCM-128.
pub(super) const CRYPTEX: [[&str; 3]; 6] = [
    [
        "900f1235decafbadcafebabebede000151000200abababababababababababababababab",
        "900f1235decafbadcafebabec0de0001eb92365251c3e036f8de27e9c27ee3e0b4651d9fbc4218a70244522f\
     34a5",
        "900f1235decafbadcafebabec0de000139972dc9572c4d99e8fc355de743fb2e94f9d8ff54e72f4193bbc5c7\
     4ffab0fa9fa0fbeb",
    ],
    [
        "900f1236decafbadcafebabe1000000105020002abababababababababababababababab",
        "900f1236decafbadcafebabec2de00014ed9cc4e6a712b3096c5ca77339d4204ce0d77396cab69585fbce381\
     94a5",
        "900f1236decafbadcafebabec2de0001bb75a4c545cd1f413bdb7daa2b1e3263de313667c963249081b35a65\
     f5cb6c88b394235f",
    ],
    [
        "920f1238decafbadcafebabe0001e2400000b26ebede000151000200abababababababababababababababab",
        "920f1238decafbadcafebabe8bb6e12b5cff16ddc0de000192838c8c09e58393e1de3a9a74734d6745671338\
     c3acf11da2df8423bee0",
        "920f1238decafbadcafebabe63bbccc4a7f695c4c0de00018ad7c71fac70a80c92866b4c6ba98546ef913586\
     e95ffaaffe956885bb0647a8bc094ac8",
    ],
    [
        "920f1239decafbadcafebabe0001e2400000b26e1000000105020002abababababababababababababababab",
        "920f1239decafbadcafebabef70e513eb90b9b25c2de0001bbed4848faa644665f3d7f34125914e9f4d0ae92\
     3c6f479b95a0f7b53133",
        "920f1239decafbadcafebabe3680524f8d312b00c2de0001c78d120038422bc111a7187a18246f980c059cc6\
     bc9df8b626394eca344e4b05d80fea83",
    ],
    [
        "920f123adecafbadcafebabe0001e2400000b26ebede0000abababababababababababababababab",
        "920f123adecafbadcafebabe7130b6abfe2ab0e3c0de0000e3d9f64b25c9e74cb4cf8e43fb92e3781c2c0cea\
     b6b3a499a14c",
        "920f123adecafbadcafebabe15b6bb4337906fffc0de0000b7b964537a2b03ab7ba5389ce93317126b5d974d\
     f30c6884dcb651c5e120c1da",
    ],
    [
        "920f123bdecafbadcafebabe0001e2400000b26e10000000abababababababababababababababab",
        "920f123bdecafbadcafebabecbf24c124330e1c8c2de0000599dd45bc9d687b603e8b59d771fd38e88b170e0\
     cd31e125eabe",
        "920f123bdecafbadcafebabedcb38c9e48bf95f4c2de000061ee432cf920317076613258d3ce4236c06ac429\
     681ad08413512dc98b5207d8",
    ],
];

/// RFC 6904 appendix A, elements 1, 3 and 4 encrypted: plain, AES-CM-128 with HMAC-SHA1-80, AES-GCM-128.
pub(super) const EXTENSIONS: [&str; 3] = [
    "900f1234decafbadcafebabebede000617414273a475262748220000c8308e4655996386b395fb00abababab\
     abababababababababababab",
    "900f1234decafbadcafebabebede000617588a9270f4e15e1c220000c8309546a994f0bc547897004e55dc4c\
     e79978d88ca4d215949d24025a46b3ca35c535a891c7",
    "900f1234decafbadcafebabebede00061712e0205bfa949b1c220000c830bb46732778d9929aab000eca0cf9\
     5ee955b26cd3d288b49f6ca9f4b1b759719eb5bc113b9ff1d40cd25a",
];

/// Under the master keys of RFC 6188 section 7, with HMAC-SHA1-80: key and salt, plain, protected.
pub(super) const LONG_KEYS: [[&str; 3]; 2] = [
    [
        "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1c8522f3acd4ce86d5add78edbb11",
        "800f0000decafbad00000000abababababababababababababababab",
        "800f0000decafbad00000000d98865552f2762c3ef37f837acfdb7122d6bc4dc84c76f74aea5",
    ],
    [
        "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b63b04803de51ee7c96423ab5b\
     78d2",
        "800f1234decafbadcafebabeabababababababababababababababab",
        "800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b",
    ],
];

/// Plain RTP and RTCP, then protected: AES-CM-128 with HMAC-SHA1-80, NULL with HMAC-SHA1-80, AES-GCM-128 under a key of
/// its own; the SRTCP index is 1.
pub(super) const SUITES: [[&str; 4]; 3] = [
    [
        "800f1234decafbadcafebabeabababababababababababababababab",
        "81c8000bcafebabeabababababababababababababababab",
        "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
        "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798",
    ],
    [
        "800f1234decafbadcafebabeabababababababababababababababab",
        "81c8000bcafebabeabababababababababababababababab",
        "800f1234decafbadcafebabeabababababababababababababababababa136270b679134ce9b",
        "81c8000bcafebabeabababababababababababababababab00000001fe88c7fdfd37ebce615d",
    ],
    [
        "800f1234decafbadcafebabeabababababababababababababababab",
        "81c8000bcafebabeabababababababababababababababab",
        "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
        "81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001",
    ],
];
