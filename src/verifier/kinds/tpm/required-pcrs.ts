/**
 * The PCRs that a quote must cover: what firmware (0 to 7) and Windows (11 to 14) measure. An agent
 * that could leave one out could also leave out what was measured into it.
 */
export const REQUIRED_PCRS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14]
