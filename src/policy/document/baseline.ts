import type { ClauseDocument, PolicyDocument } from './document.ts'

/**
 * The policy that is in force until an administrator activates another one: a Windows device that
 * started untampered, with its kernel and the agent's enclave closed to everybody.
 */
export const BASELINE_POLICY: PolicyDocument = {
  name: 'Baseline',
  description:
    'Boot integrity and kernel isolation of Windows, and a current enclave of a listed author ' +
    'that nobody can debug.',
  clauses: [
    enforce('secure_boot_on', 'attestation.secureBootEnabled', {
      en: {
        title: 'Secure Boot is off',
        repair: 'Turn on Secure Boot in the firmware settings (UEFI) of this device and restart.',
      },
      de: {
        title: 'Secure Boot ist ausgeschaltet',
        repair:
          'Schalten Sie Secure Boot in den Firmware-Einstellungen (UEFI) des Geräts ein und ' +
          'starten Sie es neu.',
      },
    }),
    enforce('code_integrity_on', 'attestation.codeIntegrityEnabled', {
      en: {
        title: 'Code integrity is off',
        repair:
          'Windows loads unsigned kernel code. Run "bcdedit /deletevalue nointegritychecks" as ' +
          'administrator and restart.',
      },
      de: {
        title: 'Die Codeintegrität ist ausgeschaltet',
        repair:
          'Windows lädt unsignierten Kernelcode. Führen Sie als Administrator „bcdedit ' +
          '/deletevalue nointegritychecks“ aus und starten Sie das Gerät neu.',
      },
    }),
    enforce('vbs_on', 'attestation.vbsEnabled', {
      en: {
        title: 'Virtualization-based security is off',
        repair:
          'Turn on virtualization in the firmware settings (UEFI), then Memory integrity under ' +
          'Windows Security > Device security > Core isolation, and restart.',
      },
      de: {
        title: 'Die virtualisierungsbasierte Sicherheit ist ausgeschaltet',
        repair:
          'Schalten Sie die Virtualisierung in den Firmware-Einstellungen (UEFI) ein, danach die ' +
          'Speicherintegrität unter Windows-Sicherheit > Gerätesicherheit > Kernisolierung, und ' +
          'starten Sie das Gerät neu.',
      },
    }),
    enforce('memory_integrity_on', 'attestation.hvciEnabled', {
      en: {
        title: 'Memory integrity is off',
        repair:
          'Turn on Memory integrity under Windows Security > Device security > Core isolation ' +
          'and restart.',
      },
      de: {
        title: 'Die Speicherintegrität ist ausgeschaltet',
        repair:
          'Schalten Sie die Speicherintegrität unter Windows-Sicherheit > Gerätesicherheit > ' +
          'Kernisolierung ein und starten Sie das Gerät neu.',
      },
    }),
    enforce('boot_debugging_off', 'attestation.bootDebuggingDisabled', {
      en: {
        title: 'Boot debugging is on',
        repair: 'Run "bcdedit /bootdebug off" as administrator and restart.',
      },
      de: {
        title: 'Das Debuggen des Starts ist eingeschaltet',
        repair:
          'Führen Sie als Administrator „bcdedit /bootdebug off“ aus und starten Sie das Gerät neu.',
      },
    }),
    enforce('kernel_debugging_off', 'attestation.osKernelDebuggingDisabled', {
      en: {
        title: 'Kernel debugging is on',
        repair: 'Run "bcdedit /debug off" as administrator and restart.',
      },
      de: {
        title: 'Das Debuggen des Kernels ist eingeschaltet',
        repair:
          'Führen Sie als Administrator „bcdedit /debug off“ aus und starten Sie das Gerät neu.',
      },
    }),
    enforce('test_signing_off', 'attestation.testSigningDisabled', {
      en: {
        title: 'Test signing is on',
        repair: 'Run "bcdedit /set testsigning off" as administrator and restart.',
      },
      de: {
        title: 'Der Testsignaturmodus ist eingeschaltet',
        repair:
          'Führen Sie als Administrator „bcdedit /set testsigning off“ aus und starten Sie das ' +
          'Gerät neu.',
      },
    }),
    enforce('not_safe_mode', 'attestation.notSafeMode', {
      en: {
        title: 'Windows runs in safe mode',
        repair: 'Restart to clear: start Windows normally.',
      },
      de: {
        title: 'Windows läuft im abgesicherten Modus',
        repair: 'Ein Neustart behebt es: Starten Sie Windows normal.',
      },
    }),
    enforce('not_winpe', 'attestation.notWinPE', {
      en: {
        title: 'The device runs Windows setup or recovery',
        repair: 'Restart to clear: start the installed Windows.',
      },
      de: {
        title: 'Auf dem Gerät läuft das Windows-Setup oder die Wiederherstellung',
        repair: 'Ein Neustart behebt es: Starten Sie das installierte Windows.',
      },
    }),
    enforce('enclave_report_present', 'attestation.vbsReportPresent', {
      en: {
        title: 'The security agent did not prove itself',
        repair: 'Update or reinstall the security agent, then restart this device.',
      },
      de: {
        title: 'Der Sicherheitsagent hat sich nicht ausgewiesen',
        repair:
          'Aktualisieren Sie den Sicherheitsagenten oder installieren Sie ihn neu, und starten ' +
          'Sie das Gerät danach neu.',
      },
    }),
    enforce('enclave_listed', 'attestation.enclave.listed', {
      en: {
        title: 'The security agent is not an approved one',
        repair: 'Install the security agent that your organisation provides.',
      },
      de: {
        title: 'Der Sicherheitsagent ist nicht zugelassen',
        repair: 'Installieren Sie den Sicherheitsagenten, den Ihre Organisation bereitstellt.',
      },
    }),
    enforce('enclave_current', 'attestation.enclave.svn_current', {
      en: {
        title: 'The security agent is out of date',
        repair: 'Install the pending updates of Windows and of the security agent, then restart.',
      },
      de: {
        title: 'Der Sicherheitsagent ist veraltet',
        repair:
          'Installieren Sie die ausstehenden Updates von Windows und des Sicherheitsagenten, und ' +
          'starten Sie das Gerät danach neu.',
      },
    }),
    enforce('enclave_not_debuggable', '!attestation.enclave.debuggable', {
      en: {
        title: 'The security agent can be debugged',
        repair: 'Install the release version of the security agent.',
      },
      de: {
        title: 'Der Sicherheitsagent kann debuggt werden',
        repair: 'Installieren Sie die Release-Version des Sicherheitsagenten.',
      },
    }),
    report('dma_protection_on', 'attestation.iommuEnabled', {
      en: {
        title: 'Memory is open to attached devices',
        repair: 'Turn on the IOMMU (VT-d or AMD-Vi) in the firmware settings and restart.',
      },
      de: {
        title: 'Der Arbeitsspeicher ist für angeschlossene Geräte offen',
        repair:
          'Schalten Sie die IOMMU (VT-d oder AMD-Vi) in den Firmware-Einstellungen ein und ' +
          'starten Sie das Gerät neu.',
      },
    }),
    report('bitlocker_on', 'attestation.bitlockerEnabled', {
      en: {
        title: 'The system drive is not protected by BitLocker',
        repair: 'Turn on BitLocker for the system drive. It counts after the next restart.',
      },
      de: {
        title: 'Das Systemlaufwerk ist nicht durch BitLocker geschützt',
        repair:
          'Schalten Sie BitLocker für das Systemlaufwerk ein. Es zählt nach dem nächsten Neustart.',
      },
    }),
    report('hardware_rooted_key', 'attestation.aikValidated', {
      en: {
        title: 'The key of this device is not vouched for by a TPM maker',
        repair: 'Install firmware updates for the TPM, or ask your administrator.',
      },
      de: {
        title: 'Kein TPM-Hersteller bürgt für den Schlüssel dieses Geräts',
        repair:
          'Installieren Sie Firmware-Updates für das TPM oder fragen Sie Ihre Administration.',
      },
    }),
    report('flight_signing_off', 'attestation.flightSigningNotEnabled', {
      en: {
        title: 'Preview builds of Windows are accepted',
        repair: 'Leave the Windows Insider Program under Settings > Windows Update and restart.',
      },
      de: {
        title: 'Vorabversionen von Windows werden angenommen',
        repair:
          'Verlassen Sie das Windows-Insider-Programm unter Einstellungen > Windows Update und ' +
          'starten Sie das Gerät neu.',
      },
    }),
  ],
}

function enforce(id: string, require: string, texts: ClauseDocument['texts']): ClauseDocument {
  return { id, require, severity: 'enforce', texts }
}

function report(id: string, require: string, texts: ClauseDocument['texts']): ClauseDocument {
  return { id, require, severity: 'report', texts }
}
