import { type IncomingMessage, ServerResponse } from 'node:http'

/**
 * An answer of Node's HTTP server whose head goes out byte for byte. Header values are octets, one a
 * character (RFC 9110 §5.5), and so Node takes and gives them; but where a body is text it joins both
 * and writes the head in the body's UTF-8, so that each octet beyond ASCII becomes two. A body of
 * bytes leaves the head alone.
 */
export class ByteExactResponse<
  R extends IncomingMessage = IncomingMessage,
> extends ServerResponse<R> {
  override write(chunk: unknown, encoding?: unknown, done?: unknown): boolean {
    return Reflect.apply(super.write, this, [toBytes(chunk), encoding, done])
  }

  override end(chunk?: unknown, encoding?: unknown, done?: unknown): this {
    return Reflect.apply(super.end, this, [toBytes(chunk), encoding, done])
  }
}

function toBytes(chunk: unknown): unknown {
  return typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : chunk
}
