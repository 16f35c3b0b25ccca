/** The text with what stands before the `@` of URLs blotted out. Rather too much of it than a password. */
export function withoutCredentials(text: string): string {
  return text.replace(/([a-z][a-z\d+.-]*:\/\/)[^\s"'<>]*@/gi, '$1***@');
}
