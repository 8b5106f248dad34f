// Package csfle is MongoDB's client-side field level encryption (explicit
// encryption and key management) in pure Go: what it seals, any official
// MongoDB driver opens, and the other way round, without cgo, libmongocrypt or
// a MongoDB server. On it stands a Sealer, which keeps secrets at rest so that
// a sealed value works in the one place it was made for and nowhere else.
//
// # Layers
//
//   - A [LocalMasterKey], or another [MasterKey], wraps data keys.
//   - A [KeyVault] stores them, as [KeyDocument]. Package vaulttest proves an
//     implementation; [MemoryVault] is the smallest.
//   - A [Keyring] makes, caches, rewraps and destroys data keys and encrypts
//     BSON values with them.
//   - A [Sealer] seals secrets bound to organization, record, field and use.
//   - A [MasterKeyCheck] lets a process notice that it was given the wrong
//     master key before it does harm.
//
// # Format
//
// A sealed value is a BSON binary of subtype 6. It is described by
// source/bson-binary-encrypted/binary-encrypted.md of the repository
// github.com/mongodb/specifications; the details are those of libmongocrypt
// (src/mongocrypt-ciphertext.c, src/mongocrypt-crypto.c, src/mongocrypt-key.c,
// src/mongocrypt-kek.c, src/mongocrypt-ctx-encrypt.c). The cipher is
// AEAD_AES_256_CBC_HMAC_SHA_512 of draft-mcgrew-aead-aes-cbc-hmac-sha2-05,
// which is A256CBC-HS512 of RFC 7518, section 5.2.5; it comes from go-jose, and
// no cryptographic primitive is implemented here. (The layout with a length
// field in client-side-encryption.md of the specifications is a mistake there.)
//
// Queryable Encryption, automatic encryption by schema, and the payload kinds
// other than Deterministic (1) and Random (2) are not supported.
//
// # What callers may rely on
//
// What is opened is, bit for bit, what was sealed, under the key and with the
// type and algorithm that the sealed value names: any change to it is refused
// before anything is decrypted. What comes out is exactly one well-formed BSON
// value. Official drivers return a value whose first byte they don't know
// unchanged and without an error; this package refuses it. It also refuses, on
// opening, what no conforming driver would have encrypted: the types that
// can't be encrypted, and with Deterministic those it does not take.
//
// The format binds a sealed value to its key only, not to its place: within
// one key it may be copied about. Only a [Sealer] prevents that. Nor does it
// bind a wrapped key to its document, so whoever can write to the vault and
// knows one data key can make others encrypt under it: guard writes to it.
//
// Deleting a data key destroys what was sealed under it. Processes other than
// the one that deleted it may use the key until their caches let it go, 60 s
// later at most by default.
//
// Errors are those of package errs. Every error's text is free of keys and of
// plaintext. All types are safe for concurrent use unless they say otherwise.
//
// # Memory
//
// Buffers that held an unwrapped key or the plaintext of a secret are wiped
// after use as far as they are this package's own. That is a best effort: the
// cipher's key schedule, copies that the cipher and the runtime make, and Go
// strings can't be wiped. A cached key is dropped, not wiped, when it expires,
// at the next use of its Keyring. Keep core dumps and swap off the disk.
package csfle
