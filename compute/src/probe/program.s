# The probe's program. `firmware.rs` holds its bytes; build them again with
#   as --64 program.s -o program.o && ld -Ttext 0x7c00 --oformat binary program.o -o program.bin
# It is copied to 0x7c00 and entered in real mode, and says on the serial port how far it came:
#   R  real mode, P  protected mode, L  long mode,
#   S  two SSE2 instructions, which a CPU executes and KVM's emulator does not know,
#   C  twenty million turns of a loop: milliseconds on a CPU, far too long where each is emulated.
# Then it tells q35's bridge where its ACPI registers shall be, and switches the machine off by them.
.code16
.globl _start
_start: cli
 xor %ax,%ax
 mov %ax,%ds
 mov %ax,%es
 mov %ax,%ss
 mov $0x7c00,%sp
 mov $0x3f8,%dx
 mov $'R',%al
 outb %al,%dx
 mov $0x1000,%di
 mov $0x1800,%cx
 xor %eax,%eax
 cld
 rep stosw
 movl $0x2003,0x1000
 movl $0x3003,0x2000
 movl $0x0083,0x3000
 lgdt gdtr
 mov %cr0,%eax
 or $1,%eax
 mov %eax,%cr0
 ljmp $0x08,$prot
.code32
prot: mov $0x10,%ax
 mov %ax,%ds
 mov %ax,%es
 mov %ax,%ss
 mov $'P',%al
 outb %al,%dx
 mov %cr4,%eax
 or $0x620,%eax
 mov %eax,%cr4
 mov $0x1000,%eax
 mov %eax,%cr3
 mov $0xc0000080,%ecx
 rdmsr
 or $0x100,%eax
 wrmsr
 mov $0x3f8,%edx
 mov %cr0,%eax
 and $~4,%eax
 or $0x80000002,%eax
 mov %eax,%cr0
 ljmp $0x18,$long
.code64
long: mov $'L',%al
 outb %al,%dx
 pxor %xmm0,%xmm0
 paddq %xmm0,%xmm0
 mov $'S',%al
 outb %al,%dx
 mov $20000000,%ecx
2: dec %ecx
 jnz 2b
 mov $'C',%al
 outb %al,%dx
 mov $0xcf8,%edx
 mov $0x8000f840,%eax
 outl %eax,%dx
 mov $0xcfc,%edx
 mov $0x601,%eax
 outl %eax,%dx
 mov $0xcf8,%edx
 mov $0x8000f844,%eax
 outl %eax,%dx
 mov $0xcfc,%edx
 mov $0x80,%al
 outb %al,%dx
 mov $0x604,%edx
 mov $0x2000,%eax
 outw %ax,%dx
1: hlt
 jmp 1b
.balign 8
gdt: .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff
gdtr: .word gdtr-gdt-1
 .long gdt
