/** Our own version, the same as in package.json. A constant: reading that file would cost every start. */
export const version = "0.1.0";
