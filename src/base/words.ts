/** `1 device`, `1,204 devices`: a number with what it counts. */
export function plural(many: number, one: string, several = `${one}s`): string {
  return `${many.toLocaleString('en')} ${many === 1 ? one : several}`
}

/** A share from 0 to 1 as it was set: `1 %`, `0.25 %`. */
export function percentage(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`
}

/** `3 devices would be denied that are allowed now`. */
export function describeLosses(devices: number): string {
  return `${plural(devices, 'device')} would be denied that ${devices === 1 ? 'is' : 'are'} allowed now`
}
