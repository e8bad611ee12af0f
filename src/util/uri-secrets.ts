/** A URI without the user and password before its host. */
export function withoutUserinfo(uri: string): string {
  return uri.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/iu, "$1");
}

/** For messages: user and password are `***`. */
export function maskUserinfo(uri: string): string {
  return uri.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/iu, "$1***@");
}
