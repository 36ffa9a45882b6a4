// Apart from the schemas, which take the command line longer to read than the rest of it.

/** 1 to 64 letters, digits, `_`, `.` and `-`; begins with a letter or digit. */
export const SECRET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A variable's value may not be longer: 128 KiB is what the kernel takes, its name included. */
export const SECRET_BYTES_MAX = 64 * 1024;
