#include "go_asm.h"
#include "textflag.h"

DATA spaces<>+0(SB)/8, $0x2020202020202020
GLOBL spaces<>(SB), RODATA|NOPTR, $8
DATA newlines<>+0(SB)/8, $0x0a0a0a0a0a0a0a0a
GLOBL newlines<>(SB), RODATA|NOPTR, $8

// Writes the place of the lowest separator in AX, and takes it out.
#define POSITION(offset) \
	TZCNTQ AX, R12; \
	BLSRQ AX, AX; \
	ADDQ R8, R12; \
	MOVL R12, offset(DI)

// func indexAVX2(text *byte, n, base int, positions, newlines *uint32) (separators, lines int)
TEXT ·indexAVX2(SB), NOSPLIT, $0-56
	MOVQ text+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ base+16(FP), R8       // The place of the first of the 64 bytes.
	MOVQ positions+24(FP), DI
	MOVQ newlines+32(FP), DX
	VPBROADCASTQ spaces<>(SB), Y0
	VPBROADCASTQ newlines<>(SB), Y1
	MOVL $1, R10               // Whether the byte before the 64 is a separator.

word:
	VMOVDQU (SI), Y2
	VMOVDQU 32(SI), Y3
	VPCMPEQB Y0, Y2, Y4
	VPCMPEQB Y0, Y3, Y5
	VPCMPEQB Y1, Y2, Y2
	VPCMPEQB Y1, Y3, Y3
	VPMOVMSKB Y4, AX
	VPMOVMSKB Y5, BX
	SHLQ $32, BX
	ORQ BX, AX                 // The spaces, a bit for each of the 64 bytes.
	VPMOVMSKB Y2, R11
	VPMOVMSKB Y3, R12
	SHLQ $32, R12
	ORQ R12, R11               // The newlines.
	CMPQ CX, $64
	JGE whole
	BZHIQ CX, AX, AX
	BZHIQ CX, R11, R11

whole:
	ORQ R11, AX                // All separators.
	LEAQ (R10)(AX*2), BX
	TESTQ AX, BX
	JNZ done                   // One follows another.
	MOVQ AX, R10
	SHRQ $63, R10

	// Lines are longer than 64 bytes as a rule, so that one newline is written whether there is one or not.
newline:
	POPCNTQ R11, R13
	TZCNTQ R11, BX
	ADDQ R8, BX
	MOVL BX, (DX)
	CMPQ R13, $1
	JGT newlines
	LEAQ (DX)(R13*4), DX

	POPCNTQ AX, BX
	POSITION(0)
	POSITION(4)
	POSITION(8)
	POSITION(12)
	POSITION(16)
	POSITION(20)
	POSITION(24)
	POSITION(28)
	POSITION(32)
	POSITION(36)
	POSITION(40)
	POSITION(44)
	LEAQ (DI)(BX*4), R13
	CMPQ BX, $12
	JLE next
	ADDQ $48, DI

more:
	POSITION(0)
	ADDQ $4, DI
	CMPQ DI, R13
	JLT more

next:
	MOVQ R13, DI
	ADDQ $64, SI
	ADDQ $64, R8
	SUBQ $64, CX
	JGT word

done:
	VZEROUPPER
	SUBQ positions+24(FP), DI
	SHRQ $2, DI
	MOVQ DI, separators+40(FP)
	SUBQ newlines+32(FP), DX
	SHRQ $2, DX
	MOVQ DX, lines+48(FP)
	RET

newlines:
	BLSRQ R11, R11
	ADDQ $4, DX
	JMP newline

DATA digit0<>+0(SB)/8, $0x3030303030303030
GLOBL digit0<>(SB), RODATA|NOPTR, $8
DATA digit9<>+0(SB)/8, $0x0909090909090909
GLOBL digit9<>(SB), RODATA|NOPTR, $8
DATA dots<>+0(SB)/8, $0x2e2e2e2e2e2e2e2e
GLOBL dots<>(SB), RODATA|NOPTR, $8
DATA weights<>+0(SB)/8, $0x010a6400010a6400
GLOBL weights<>(SB), RODATA|NOPTR, $8
DATA ones<>+0(SB)/8, $0x0001000100010001
GLOBL ones<>(SB), RODATA|NOPTR, $8
// Brings the lowest bytes of the four numbers, the last number first, to where an Addr has an IPv4 address.
DATA lowest<>+0(SB)/8, $0x8080808080808080
DATA lowest<>+8(SB)/8, $0x808080800004080c
GLOBL lowest<>(SB), RODATA|NOPTR, $16
// What an Addr has before an IPv4 address.
DATA mapped<>+0(SB)/8, $0
DATA mapped<>+8(SB)/8, $0x0000ffff00000000
GLOBL mapped<>(SB), RODATA|NOPTR, $16

// Reads the address in a column; whatever is wrong with it leaves a bit in R11 or X11. In this order: the place before the column in AX and the column's length in CX; a bit in BX for each end of
// a number; the form with these ends, at R12 in the table; all bits in R11 for a column of more than 15 bytes; the digits in their places; what is no digit; hundreds and tens and ones, and their
// sum; numbers with leading zeros, and those above 255; the four numbers as one.
#define ADDRESS(column, address) \
	MOVL column(DX), R12; \
	MOVL (DI)(R12*4), AX; \
	MOVL 4(DI)(R12*4), CX; \
	SUBL AX, CX; \
	DECL CX; \
	VMOVDQU 1(SI)(AX*1), X0; \
	VPCMPEQB X0, X7, X1; \
	VPMOVMSKB X1, BX; \
	BZHIL CX, BX, BX; \
	BTSL CX, BX; \
	IMUL3L $const_v4FormHash, BX, R12; \
	SHRL $24, R12; \
	SHLL $5, R12; \
	XORL 20(R8)(R12*1), BX; \
	ORL BX, R11; \
	CMPL CX, $16; \
	SBBL BX, BX; \
	NOTL BX; \
	ORL BX, R11; \
	VPSUBB X5, X0, X0; \
	VPSHUFB (R8)(R12*1), X0, X0; \
	VPSUBUSB X6, X0, X1; \
	VPOR X1, X11, X11; \
	VPMADDUBSW X8, X0, X0; \
	VPMADDWD X9, X0, X0; \
	VPMOVZXBD 16(R8)(R12*1), X1; \
	VPCMPGTD X0, X1, X1; \
	VPOR X1, X11, X11; \
	VPSRLD $8, X0, X1; \
	VPOR X1, X11, X11; \
	VPSHUFB X10, X0, X0; \
	VPOR X12, X0, X0; \
	VMOVDQU X0, address(R9)

// func fourV4AVX2(text *byte, bounds *[maxFastColumns + 1]uint32, columns *[4]uint32, addresses *[4]Addr, forms *[256]v4Form) bool
TEXT ·fourV4AVX2(SB), NOSPLIT, $0-41
	MOVQ text+0(FP), SI
	MOVQ bounds+8(FP), DI
	MOVQ columns+16(FP), DX
	MOVQ addresses+24(FP), R9
	MOVQ forms+32(FP), R8
	VPBROADCASTQ digit0<>(SB), X5
	VPBROADCASTQ digit9<>(SB), X6
	VPBROADCASTQ dots<>(SB), X7
	VPBROADCASTQ weights<>(SB), X8
	VPBROADCASTQ ones<>(SB), X9
	VMOVDQU lowest<>(SB), X10
	VMOVDQU mapped<>(SB), X12
	VPXOR X11, X11, X11
	XORL R11, R11
	ADDRESS(0, 0)
	ADDRESS(4, 16)
	ADDRESS(8, 32)
	ADDRESS(12, 48)
	VPTEST X11, X11
	SETEQ AX
	TESTL R11, R11
	SETEQ BX
	ANDL BX, AX
	MOVB AX, ret+40(FP)
	RET
