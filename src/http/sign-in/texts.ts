import type { TextsOf } from '../../access/language.ts'

/** What the pages of a sign-in say to the person in front of the device. */
export type PageTexts = {
  /** BCP 47, for the attribute `lang`. */
  readonly language: string
  readonly title: string
  readonly asking: string
  readonly askingHint: string
  readonly openAgent: string
  readonly openHint: string
  readonly missing: string
  readonly missingSteps: readonly string[]
  readonly agentFailed: string
  readonly elsewhere: string
  readonly ended: string
  readonly tooLate: string
  readonly tryAgain: string
  readonly goBack: string
  readonly goBackHint: string
  readonly denied: string
  readonly granted: string
  readonly proceed: string
  readonly unknown: string
  readonly otherBrowser: string
  readonly ticketRefused: string
  readonly refused: string
  readonly refusedHint: string
  readonly unavailable: string
  readonly failed: string
  readonly startOver: string
  readonly requestId: string
}

/** In the languages that reasons of denials have. */
export const PAGE_TEXTS: TextsOf<PageTexts> = {
  en: {
    language: 'en',
    title: 'Checking this device',
    asking: 'The security agent of this device is being asked.',
    askingHint:
      'If your browser asks whether this page may reach programs on this device, allow it.',
    openAgent: 'Open the security agent',
    openHint:
      'Your browser may ask whether to open it. The sign-in then goes on in a new window of your usual browser.',
    missing: 'The security agent has not answered yet.',
    missingSteps: [
      'Open it by the button below.',
      'If nothing opens, start the security agent of your organisation, or install it from where your organisation provides it, and try again.',
      'If this is not a device of your organisation, use one that is, or go back and choose another way to sign in.',
    ],
    agentFailed:
      'The security agent runs, and could not prove this device. Wait a minute and try again. If it stays, restart the agent.',
    elsewhere:
      'The security agent has answered, and the sign-in goes on in another window. If that one says that the sign-in began in another browser, make this browser your usual one for the moment, or begin again in the other.',
    ended: 'The sign-in has gone on in another window. You can close this one.',
    tooLate: 'The time for this sign-in is over. Go back and sign in again.',
    tryAgain: 'Try again',
    goBack: 'Go back without a device',
    goBackHint: 'Your organisation decides whether you can sign in another way.',
    denied: 'This device cannot be used for this sign-in yet.',
    granted: 'This device is in order. The sign-in goes on.',
    proceed: 'Go on',
    unknown: 'There is no such sign-in any more.',
    otherBrowser: 'This sign-in began in another browser.',
    ticketRefused: 'The answer of the security agent does not belong to this sign-in.',
    refused: 'This sign-in cannot be answered.',
    refusedHint:
      'Whoever sent you here is not registered with this service as the request says. Do not go on if you followed a link from a message. Otherwise tell your administrator.',
    unavailable: 'This service cannot check your device at the moment.',
    failed: 'This service failed to check your device.',
    startOver: 'Go back to the application and sign in again.',
    requestId: 'For your administrator: request',
  },
  de: {
    language: 'de',
    title: 'Dieses Gerät wird geprüft',
    asking: 'Der Sicherheitsagent dieses Geräts wird gefragt.',
    askingHint:
      'Fragt der Browser, ob diese Seite Programme auf diesem Gerät erreichen darf, erlauben Sie es.',
    openAgent: 'Sicherheitsagenten öffnen',
    openHint:
      'Der Browser fragt vielleicht, ob er ihn öffnen soll. Die Anmeldung geht dann in einem neuen Fenster Ihres Standardbrowsers weiter.',
    missing: 'Der Sicherheitsagent hat noch nicht geantwortet.',
    missingSteps: [
      'Öffnen Sie ihn über die Schaltfläche unten.',
      'Öffnet sich nichts, starten Sie den Sicherheitsagenten Ihrer Organisation, oder installieren Sie ihn von dort, wo Ihre Organisation ihn bereitstellt, und versuchen Sie es noch einmal.',
      'Ist dies kein Gerät Ihrer Organisation, nehmen Sie eines, oder gehen Sie zurück und wählen Sie einen anderen Weg der Anmeldung.',
    ],
    agentFailed:
      'Der Sicherheitsagent läuft und konnte dieses Gerät nicht nachweisen. Warten Sie eine Minute und versuchen Sie es noch einmal. Bleibt es dabei, starten Sie den Agenten neu.',
    elsewhere:
      'Der Sicherheitsagent hat geantwortet, und die Anmeldung geht in einem anderen Fenster weiter. Sagt jenes, dass die Anmeldung in einem anderen Browser begann, machen Sie diesen Browser vorübergehend zum Standard, oder beginnen Sie im anderen noch einmal.',
    ended: 'Die Anmeldung ging in einem anderen Fenster weiter. Sie können dieses schließen.',
    tooLate:
      'Die Zeit für diese Anmeldung ist vorbei. Gehen Sie zurück und melden Sie sich noch einmal an.',
    tryAgain: 'Noch einmal versuchen',
    goBack: 'Ohne Gerät zurückgehen',
    goBackHint: 'Ihre Organisation entscheidet, ob Sie sich auf andere Weise anmelden können.',
    denied: 'Dieses Gerät kann für diese Anmeldung noch nicht verwendet werden.',
    granted: 'Dieses Gerät ist in Ordnung. Die Anmeldung geht weiter.',
    proceed: 'Weiter',
    unknown: 'Diese Anmeldung gibt es nicht mehr.',
    otherBrowser: 'Diese Anmeldung begann in einem anderen Browser.',
    ticketRefused: 'Die Antwort des Sicherheitsagenten gehört nicht zu dieser Anmeldung.',
    refused: 'Diese Anmeldung kann nicht beantwortet werden.',
    refusedHint:
      'Wer Sie hierher geschickt hat, ist bei diesem Dienst nicht so angemeldet, wie die Anfrage sagt. Gehen Sie nicht weiter, wenn Sie einem Link aus einer Nachricht gefolgt sind. Sonst sagen Sie es Ihrer Administration.',
    unavailable: 'Dieser Dienst kann Ihr Gerät im Moment nicht prüfen.',
    failed: 'Dieser Dienst konnte Ihr Gerät nicht prüfen.',
    startOver: 'Gehen Sie zurück zur Anwendung und melden Sie sich noch einmal an.',
    requestId: 'Für Ihre Administration: Anfrage',
  },
}
