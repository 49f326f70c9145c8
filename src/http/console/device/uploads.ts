import { readBounded } from '../../../base/bounded-body.ts'

/**
 * The files of a posted form by the names of their fields, at most `maxBytes` for the whole body, whatever it says of
 * its length. `undefined` for a body that is no such form.
 */
export async function readUploads(
  request: Request,
  maxBytes: number,
): Promise<ReadonlyMap<string, Uint8Array> | undefined | 'too_large'> {
  const type = request.headers.get('content-type') ?? ''
  if (!type.startsWith('multipart/form-data')) return undefined
  const bytes = await readBounded(request, maxBytes)
  if (bytes === undefined) return 'too_large'
  try {
    const form = await new Response(Uint8Array.from(bytes), {
      headers: { 'content-type': type },
    }).formData()
    const files = new Map<string, Uint8Array>()
    for (const [name, value] of form) {
      if (typeof value !== 'string') files.set(name, new Uint8Array(await value.arrayBuffer()))
    }
    return files
  } catch {
    return undefined
  }
}
