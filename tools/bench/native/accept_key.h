/*
 * The answer to a WebSocket handshake (RFC 6455, 4.2.2): the base64 of the SHA-1 of the client's key and a fixed
 * text. Written for one message of 60 bytes, which is all that is ever hashed here.
 */
#include <stdint.h>
#include <string.h>

static uint32_t rotate_left(uint32_t word, int bits) {
  return word << bits | word >> (32 - bits);
}

/* One block of SHA-1 (FIPS 180-4, 6.1.2). */
static void sha1_block(uint32_t state[5], const unsigned char block[64]) {
  uint32_t words[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (int t = 0; t < 16; t++) {
    const unsigned char *at = block + 4 * t;
    words[t] = (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
  }
  for (int t = 16; t < 80; t++) words[t] = rotate_left(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
  for (int t = 0; t < 80; t++) {
    uint32_t mix = t < 20 ? (b & c) | (~b & d) : t < 40 || t >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
    uint32_t constant = t < 20 ? 0x5a827999 : t < 40 ? 0x6ed9eba1 : t < 60 ? 0x8f1bbcdc : 0xca62c1d6;
    uint32_t next = rotate_left(a, 5) + mix + e + constant + words[t];
    e = d;
    d = c;
    c = rotate_left(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

/* `key` is the 24 characters of Sec-WebSocket-Key; `accept_key` takes 28 characters and a zero. */
static void make_accept_key(const char *key, char accept_key[29]) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  unsigned char blocks[128] = {0}, digest[21] = {0};
  memcpy(blocks, key, 24);
  memcpy(blocks + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
  blocks[60] = 0x80;
  /* 60 bytes are 480 bits, written at the end of the second block. */
  blocks[126] = 480 >> 8;
  blocks[127] = 480 & 255;
  sha1_block(state, blocks);
  sha1_block(state, blocks + 64);
  for (int at = 0; at < 20; at++) digest[at] = state[at / 4] >> (24 - 8 * (at % 4));
  for (int at = 0; at < 7; at++) {
    uint32_t three = digest[3 * at] << 16 | digest[3 * at + 1] << 8 | digest[3 * at + 2];
    for (int part = 0; part < 4; part++) accept_key[4 * at + part] = letters[three >> (18 - 6 * part) & 63];
  }
  accept_key[27] = '=';
  accept_key[28] = 0;
}
