import type { Origin } from '../appraisal/origin.ts'
import type { Texts } from '../policy/document/document.ts'
import type { DeviceNameFailure } from './device-of-request.ts'
import type { TokenStandingFailure } from './device-token.ts'
import type { Standing } from './verdict.ts'

/** Why a device is not trusted or a request not granted, other than through the text of a clause. */
export type BuiltInCode =
  | Standing
  | Exclude<Origin, 'accepted'>
  | DeviceNameFailure['reason']
  | TokenStandingFailure['reason']
  | 'device_unknown'
  | 'clause_undecidable'

/** What a person reads: every code says what to do next. */
export const BUILT_IN_TEXTS: Readonly<Record<BuiltInCode, Texts>> = {
  quarantined: {
    en: {
      title: 'This device was blocked by an administrator',
      repair: 'Contact your administrator. Restarting or reinstalling does not lift the block.',
    },
    de: {
      title: 'Dieses Gerät wurde von der Administration gesperrt',
      repair:
        'Wenden Sie sich an Ihre Administration. Ein Neustart oder eine Neuinstallation hebt die ' +
        'Sperre nicht auf.',
    },
  },
  enrolment_pending: {
    en: {
      title: 'This device waits for approval',
      repair: 'Ask your administrator to approve it. Nothing needs to be repaired.',
    },
    de: {
      title: 'Dieses Gerät wartet auf die Freigabe',
      repair: 'Bitten Sie Ihre Administration um die Freigabe. Es ist nichts zu reparieren.',
    },
  },
  never_attested: {
    en: {
      title: 'This device has not proved its state yet',
      repair: 'Start the security agent and wait a minute. If it is missing, install it.',
    },
    de: {
      title: 'Dieses Gerät hat seinen Zustand noch nicht nachgewiesen',
      repair:
        'Starten Sie den Sicherheitsagenten und warten Sie eine Minute. Installieren Sie ihn, ' +
        'falls er fehlt.',
    },
  },
  stale: {
    en: {
      title: 'The last proof of the state of this device has expired',
      repair: 'Connect the device to the network and start the security agent. It renews itself.',
    },
    de: {
      title: 'Der letzte Nachweis über den Zustand dieses Geräts ist abgelaufen',
      repair:
        'Verbinden Sie das Gerät mit dem Netz und starten Sie den Sicherheitsagenten. Der ' +
        'Nachweis wird von selbst erneuert.',
    },
  },
  policy_not_pinned: {
    en: {
      title: 'The last proof of the state of this device counts no more',
      repair:
        'Start the security agent and wait a minute: it renews itself. If it stays, ask your ' +
        'administrator: the rules of the verifier are not approved.',
    },
    de: {
      title: 'Der letzte Nachweis über den Zustand dieses Geräts zählt nicht mehr',
      repair:
        'Starten Sie den Sicherheitsagenten und warten Sie eine Minute: Der Nachweis wird von ' +
        'selbst erneuert. Bleibt es dabei, fragen Sie Ihre Administration: Die Regeln der ' +
        'Prüfstelle sind nicht freigegeben.',
    },
  },
  anchor_not_listed: {
    en: {
      title: 'The security chip of this device is not approved',
      repair: 'Ask your administrator: the maker of the chip (TPM) is not on the list.',
    },
    de: {
      title: 'Der Sicherheitschip dieses Geräts ist nicht freigegeben',
      repair:
        'Fragen Sie Ihre Administration: Der Hersteller des Chips (TPM) steht nicht auf der Liste.',
    },
  },
  hardware_unproven: {
    en: {
      title: 'This device has not proved that its security chip is a real one',
      repair:
        'Start the security agent and wait a minute. If it stays, ask your administrator: nobody ' +
        'vouches for the chip (TPM) of this device.',
    },
    de: {
      title: 'Dieses Gerät hat nicht nachgewiesen, dass sein Sicherheitschip echt ist',
      repair:
        'Starten Sie den Sicherheitsagenten und warten Sie eine Minute. Bleibt es dabei, fragen ' +
        'Sie Ihre Administration: Für den Chip (TPM) dieses Geräts bürgt niemand.',
    },
  },
  clause_undecidable: {
    en: {
      title: 'It cannot be told whether the device meets a requirement',
      repair:
        'Update the security agent and Windows, then restart. If it stays, ask your ' +
        'administrator: the device does not report a value, or nothing is listed to compare it with.',
    },
    de: {
      title: 'Ob das Gerät eine Anforderung erfüllt, lässt sich nicht sagen',
      repair:
        'Aktualisieren Sie den Sicherheitsagenten und Windows und starten Sie das Gerät neu. ' +
        'Bleibt es dabei, fragen Sie Ihre Administration: Das Gerät meldet einen Wert nicht, oder ' +
        'es ist nichts hinterlegt, womit er zu vergleichen wäre.',
    },
  },
  device_unknown: {
    en: {
      title: 'This device is not registered',
      repair: 'Install and start the security agent that your organisation provides.',
    },
    de: {
      title: 'Dieses Gerät ist nicht registriert',
      repair: 'Installieren und starten Sie den Sicherheitsagenten Ihrer Organisation.',
    },
  },
  device_not_named: {
    en: {
      title: 'The request does not say which device it comes from',
      repair: 'Sign in from a device that runs the security agent of your organisation.',
    },
    de: {
      title: 'Die Anfrage nennt das Gerät nicht, von dem sie kommt',
      repair:
        'Melden Sie sich von einem Gerät an, auf dem der Sicherheitsagent Ihrer Organisation läuft.',
    },
  },
  device_names_conflict: {
    en: {
      title: 'The request names two different devices',
      repair: 'Sign out and sign in again on this device.',
    },
    de: {
      title: 'Die Anfrage nennt zwei verschiedene Geräte',
      repair: 'Melden Sie sich auf diesem Gerät ab und wieder an.',
    },
  },
  device_token_refused: {
    en: {
      title: 'The device could not be recognised',
      repair: 'Restart the security agent, then sign in again.',
    },
    de: {
      title: 'Das Gerät wurde nicht erkannt',
      repair: 'Starten Sie den Sicherheitsagenten neu und melden Sie sich dann wieder an.',
    },
  },
  device_token_key_replaced: {
    en: {
      title: 'This device has been given a new key',
      repair: 'Restart the security agent and wait a minute, then sign in again.',
    },
    de: {
      title: 'Dieses Gerät hat einen neuen Schlüssel',
      repair:
        'Starten Sie den Sicherheitsagenten neu, warten Sie eine Minute und melden Sie sich dann ' +
        'wieder an.',
    },
  },
  device_token_superseded: {
    en: {
      title: 'This device was signed out',
      repair: 'Restart the security agent and wait a minute, then sign in again.',
    },
    de: {
      title: 'Dieses Gerät wurde abgemeldet',
      repair:
        'Starten Sie den Sicherheitsagenten neu, warten Sie eine Minute und melden Sie sich dann ' +
        'wieder an.',
    },
  },
}
