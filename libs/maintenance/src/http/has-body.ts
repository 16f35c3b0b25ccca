/** The parts of Node's request that say whether it has a body. */
export interface RawRequest {
  headers: Record<string, string | string[] | undefined>;
  /** Of HTTP/2 only. */
  stream?: { endAfterHeaders?: boolean };
}

/**
 * Whether a request has a body: by its headers (RFC 9112, section 6.3), in HTTP/2 by its frames (RFC 9113, section
 * 8.1).
 */
export function hasBody({ headers, stream }: RawRequest): boolean {
  const length = headers['content-length'];
  if (length !== undefined) return length !== '0';
  return stream?.endAfterHeaders === undefined ? headers['transfer-encoding'] !== undefined : !stream.endAfterHeaders;
}
