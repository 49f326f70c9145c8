/**
 * Where in what was sent something is wrong: only what applies, and nothing of its content. The rooms
 * that read structures know offsets and events; whoever took the structure out of a message adds the
 * member that it stood in.
 */
export type Place = {
  /** Path in the message, such as `request.att_data.tpm_att_data.current_attestation.quote`. */
  readonly member?: string
  /** Number of the event in the boot log, as `inspect log` counts them. */
  readonly event?: number
  /** From the start of the member: bytes of what it encodes, characters of JSON text. */
  readonly offset?: number
  readonly pcrs?: readonly number[]
  /** The bank of these PCRs by its hash, such as `sha256`. */
  readonly bank?: string
  /** The binary structure by the name that its specification gives it, and a field after a dot. */
  readonly structure?: string
  /** The field in the structure. `placeOf` joins the two. */
  readonly field?: string
}

/** A place as answers and records tell it. */
export type ToldPlace = Omit<Place, 'field'>
