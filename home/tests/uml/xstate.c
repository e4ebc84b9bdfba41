/*
 * Lets a user-mode Linux run on processors with more state than it knows of.
 *
 * It saves and restores the extended registers of its processes in a buffer for AVX-512 at most, and
 * the kernel takes them only as a whole (arch/x86/kernel/fpu/regset.c, xstateregs_set): with AMX that
 * is EFAULT, and the machine panics. Preloaded, this puts what is missing at the end, as it was.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* AMX needs 11,008 bytes. Only one thread of a user-mode Linux uses ptrace(2). */
static unsigned char state[1 << 16];

static long exchange(enum __ptrace_request request, pid_t pid, struct iovec *known)
{
	struct iovec all = { state, sizeof state };
	size_t shared;

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) < 0)
		return -1;
	shared = known->iov_len < all.iov_len ? known->iov_len : all.iov_len;
	if (request == PTRACE_GETREGSET) {
		memcpy(known->iov_base, state, shared);
		known->iov_len = shared;
		return 0;
	}
	memcpy(state, known->iov_base, shared);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	static long (*real)(enum __ptrace_request, ...);
	va_list arguments;
	pid_t pid;
	void *address, *data;

	va_start(arguments, request);
	pid = va_arg(arguments, pid_t);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);
	if ((request == PTRACE_GETREGSET || request == PTRACE_SETREGSET) && address == (void *)NT_X86_XSTATE)
		return exchange(request, pid, data);
	if (!real)
		real = (long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
	return real(request, pid, address, data);
}
