#include "textflag.h"

// The rounds are those of "Intel SHA Extensions" (S. Gulley and others, 2013), for two streams by turns: the state of the
// one is in X1 (ABEF) and X2 (CDGH), its last sixteen words are in X3 to X6; those of the other in X7, X8, X9 to X12. X0
// is what SHA256RNDS2 reads, X13 is for whatever is needed, X15 the order of bytes.

// Four rounds of one stream with the words W.
#define ROUNDS(i, W, S0, S1) \
	MOVOU i*16(AX), X0; \
	PADDL W, X0; \
	SHA256RNDS2 X0, S0, S1; \
	PSHUFD $0x0e, X0, X0; \
	SHA256RNDS2 X0, S1, S0

#define LOAD(off, P, W) \
	MOVOU off(P), W; \
	PSHUFB X15, W

// P and W are words in their order; N becomes the four after them.
#define NEXT(P, W, N) \
	MOVO W, X13; \
	PALIGNR $4, P, X13; \
	PADDL X13, N; \
	SHA256MSG2 W, N

// Four rounds of both streams, with words that are read first.
#define BOTH_LOAD(i, WA, WB) \
	LOAD(i*16, SI, WA); \
	LOAD(i*16, DI, WB); \
	ROUNDS(i, WA, X1, X2); \
	ROUNDS(i, WB, X7, X8)

// Four rounds of both streams, and the words for later ones: those of the next four, N, are complete then.
#define BOTH(i, PA, WA, NA, PB, WB, NB) \
	ROUNDS(i, WA, X1, X2); \
	NEXT(PA, WA, NA); \
	ROUNDS(i, WB, X7, X8); \
	NEXT(PB, WB, NB); \
	SHA256MSG1 WA, PA; \
	SHA256MSG1 WB, PB

// The same where no words after N are needed.
#define LAST(i, PA, WA, NA, PB, WB, NB) \
	ROUNDS(i, WA, X1, X2); \
	NEXT(PA, WA, NA); \
	ROUNDS(i, WB, X7, X8); \
	NEXT(PB, WB, NB)

// The state, from the order in memory to that of the rounds.
#define STATE_IN(H, S0, S1) \
	MOVOU (H), X13; \
	MOVOU 16(H), S1; \
	PSHUFD $0xb1, X13, X13; \
	PSHUFD $0x1b, S1, S1; \
	MOVO X13, S0; \
	PALIGNR $8, S1, S0; \
	PBLENDW $0xf0, X13, S1

#define STATE_OUT(H, S0, S1) \
	PSHUFD $0x1b, S0, X13; \
	PSHUFD $0xb1, S1, S1; \
	MOVO X13, S0; \
	PBLENDW $0xf0, S1, X13; \
	PALIGNR $8, S0, S1; \
	MOVOU X13, (H); \
	MOVOU S1, 16(H)

// func rounds(a, b *[8]uint32, p, q *byte, n int, k *[68]uint32)
TEXT ·rounds(SB), NOSPLIT, $64-48
	MOVQ a+0(FP), R8
	MOVQ b+8(FP), R9
	MOVQ p+16(FP), SI
	MOVQ q+24(FP), DI
	MOVQ n+32(FP), CX
	MOVQ k+40(FP), AX
	MOVOU 256(AX), X15
	STATE_IN(R8, X1, X2)
	STATE_IN(R9, X7, X8)
loop:
	MOVOU X1, 0(SP)
	MOVOU X2, 16(SP)
	MOVOU X7, 32(SP)
	MOVOU X8, 48(SP)

	BOTH_LOAD(0, X3, X9)
	BOTH_LOAD(1, X4, X10)
	SHA256MSG1 X4, X3
	SHA256MSG1 X10, X9
	BOTH_LOAD(2, X5, X11)
	SHA256MSG1 X5, X4
	SHA256MSG1 X11, X10
	LOAD(48, SI, X6)
	LOAD(48, DI, X12)
	BOTH(3, X5, X6, X3, X11, X12, X9)
	BOTH(4, X6, X3, X4, X12, X9, X10)
	BOTH(5, X3, X4, X5, X9, X10, X11)
	BOTH(6, X4, X5, X6, X10, X11, X12)
	BOTH(7, X5, X6, X3, X11, X12, X9)
	BOTH(8, X6, X3, X4, X12, X9, X10)
	BOTH(9, X3, X4, X5, X9, X10, X11)
	BOTH(10, X4, X5, X6, X10, X11, X12)
	BOTH(11, X5, X6, X3, X11, X12, X9)
	BOTH(12, X6, X3, X4, X12, X9, X10)
	LAST(13, X3, X4, X5, X9, X10, X11)
	LAST(14, X4, X5, X6, X10, X11, X12)
	ROUNDS(15, X6, X1, X2)
	ROUNDS(15, X12, X7, X8)

	MOVOU 0(SP), X13
	PADDL X13, X1
	MOVOU 16(SP), X13
	PADDL X13, X2
	MOVOU 32(SP), X13
	PADDL X13, X7
	MOVOU 48(SP), X13
	PADDL X13, X8
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JNZ loop
	STATE_OUT(R8, X1, X2)
	STATE_OUT(R9, X7, X8)
	RET
