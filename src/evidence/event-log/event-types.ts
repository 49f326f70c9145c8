/** Event types that are looked at here. TCG PC Client Platform Firmware Profile §10.4.1 */
export const EV = {
  noAction: 0x00000003,
  separator: 0x00000004,
  action: 0x00000005,
  eventTag: 0x00000006,
  efiVariableDriverConfig: 0x80000001,
  efiVariableBoot: 0x80000002,
  efiAction: 0x80000007,
  efiVariableBoot2: 0x8000000c,
  efiHcrtmEvent: 0x80000010,
  efiVariableAuthority: 0x800000e0,
} as const

const NAMES: ReadonlyMap<number, string> = new Map([
  [0x00000000, 'EV_PREBOOT_CERT'],
  [0x00000001, 'EV_POST_CODE'],
  [0x00000002, 'EV_UNUSED'],
  [EV.noAction, 'EV_NO_ACTION'],
  [EV.separator, 'EV_SEPARATOR'],
  [EV.action, 'EV_ACTION'],
  [EV.eventTag, 'EV_EVENT_TAG'],
  [0x00000007, 'EV_S_CRTM_CONTENTS'],
  [0x00000008, 'EV_S_CRTM_VERSION'],
  [0x00000009, 'EV_CPU_MICROCODE'],
  [0x0000000a, 'EV_PLATFORM_CONFIG_FLAGS'],
  [0x0000000b, 'EV_TABLE_OF_DEVICES'],
  [0x0000000c, 'EV_COMPACT_HASH'],
  [0x0000000d, 'EV_IPL'],
  [0x0000000e, 'EV_IPL_PARTITION_DATA'],
  [0x0000000f, 'EV_NONHOST_CODE'],
  [0x00000010, 'EV_NONHOST_CONFIG'],
  [0x00000011, 'EV_NONHOST_INFO'],
  [0x00000012, 'EV_OMIT_BOOT_DEVICE_EVENTS'],
  [0x00000013, 'EV_POST_CODE2'],
  [EV.efiVariableDriverConfig, 'EV_EFI_VARIABLE_DRIVER_CONFIG'],
  [EV.efiVariableBoot, 'EV_EFI_VARIABLE_BOOT'],
  [0x80000003, 'EV_EFI_BOOT_SERVICES_APPLICATION'],
  [0x80000004, 'EV_EFI_BOOT_SERVICES_DRIVER'],
  [0x80000005, 'EV_EFI_RUNTIME_SERVICES_DRIVER'],
  [0x80000006, 'EV_EFI_GPT_EVENT'],
  [EV.efiAction, 'EV_EFI_ACTION'],
  [0x80000008, 'EV_EFI_PLATFORM_FIRMWARE_BLOB'],
  [0x80000009, 'EV_EFI_HANDOFF_TABLES'],
  [0x8000000a, 'EV_EFI_PLATFORM_FIRMWARE_BLOB2'],
  [0x8000000b, 'EV_EFI_HANDOFF_TABLES2'],
  [EV.efiVariableBoot2, 'EV_EFI_VARIABLE_BOOT2'],
  [0x8000000d, 'EV_EFI_GPT_EVENT2'],
  [EV.efiHcrtmEvent, 'EV_EFI_HCRTM_EVENT'],
  [EV.efiVariableAuthority, 'EV_EFI_VARIABLE_AUTHORITY'],
  [0x800000e1, 'EV_EFI_SPDM_FIRMWARE_BLOB'],
  [0x800000e2, 'EV_EFI_SPDM_FIRMWARE_CONFIG'],
])

/** The specification's name of an event type, or the number of one that it does not name. */
export function eventTypeName(type: number): string {
  return NAMES.get(type) ?? `0x${type.toString(16).padStart(8, '0')}`
}
