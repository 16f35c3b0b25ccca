/** The text with what stands before the `@` of URLs blotted out. Rather too much of it than a password. */
export function redactCredentials(text: string): string {
  return text.replace(/([a-z][a-z\d+.-]*:\/\/)[^\s"'<>]*@/gi, '$1***@');
}

/** The same of one URL, or of what was meant to be one: nothing between its scheme and the last `@` stays, and nothing of its query. */
export function redactUrlCredentials(url: string): string {
  return url.replace(/^([a-z][a-z\d+.-]*:(?:\/\/)?)?.*@/is, '$1***@').replace(/\?.*$/s, '?...');
}

/** Whether what stands behind the `?` of a URL may be a part of a password: an `@` comes after it. */
export function mayQueryHoldPassword(url: string): boolean {
  return /\?.*@/s.test(url);
}
