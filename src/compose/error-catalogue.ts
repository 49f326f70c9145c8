import { BUILT_IN_TEXTS } from '../access/texts.ts'
import { RELAY_ANSWERS, RELAY_REASONS_TOLD } from '../azure/wire.ts'
import type { Explanation } from '../base/explanation.ts'
import { ENROLMENT_ANSWERS } from '../http/agent/enrolment-problem.ts'
import { ADMIN_PROBLEMS } from '../http/errors/admin-problems.ts'
import { AGENT_PROBLEMS } from '../http/errors/agent-problems.ts'
import { AUTHZEN_ANSWERS } from '../http/errors/authzen-error.ts'
import { VERIFIER_BUSY } from '../http/errors/azure-error.ts'
import { CONSOLE_ANSWERS } from '../http/errors/console-answers.ts'
import { OAUTH_ANSWERS, PRESENTED_ANSWERS } from '../http/errors/oauth-answers.ts'
import { RELYING_PARTY_PROBLEMS } from '../http/errors/relying-party-problems.ts'
import { SHARED_PROBLEMS } from '../http/errors/shared-problems.ts'
import {
  SIGN_IN_CODE_ANSWERS,
  SIGN_IN_ERRORS,
  SIGN_IN_PROBLEMS,
} from '../http/errors/sign-in-answers.ts'
import { SIGNAL_PROBLEMS } from '../http/errors/signal-problems.ts'
import { VENDOR_PROBLEMS } from '../http/errors/vendor-problems.ts'
import { EVALUATION_EXPLANATIONS } from '../policy/language/evaluation-explanations.ts'
import { LINT_EXPLANATIONS } from '../policy/lint/lint-explanations.ts'
import { BUILT_IN_KINDS } from '../verifier/kinds/built-in.ts'
import { listAnswers } from '../verifier/protocol/errors.ts'
import { COARSE_CODES, statusOfAnswer } from '../verifier/protocol/wire-answers.ts'

/** One code as the catalogue has it. */
export type CatalogueEntry = Explanation & {
  readonly code: string
  /** Of the answer; absent where the code is in no error. */
  readonly status?: number
  /** The code that whoever asks is told in its place: the code itself is for the log alone. */
  readonly told?: string
}

/** The codes of one surface. */
export type CatalogueSection = {
  readonly title: string
  /** Who sees these codes, and where. */
  readonly seenBy: string
  readonly entries: readonly CatalogueEntry[]
}

/** Every code that the service answers with or notes of a request, made from what answers them. */
export function listServedCodes(): readonly CatalogueSection[] {
  return [
    {
      title: 'Evidence: POST /attest/Tpm',
      seenBy:
        'The agent, as `error.innererror.code`. The operator, in the log (`evidence_refused`, by its `request_id`, with `where`). The administrator, among the refused attempts of the device and in their trace, if its attestation key had answered the challenge.',
      entries: listEvidence(),
    },
    {
      title: 'Evidence passed on to Azure Attestation',
      seenBy:
        'The agent, as `error.innererror.code`. The operator, in the log (`relay_failed`), where the exact reason stands.',
      entries: listRelayed(),
    },
    {
      title: 'Attestations and enrolment: /v1/attestations, /v1/enrolments',
      seenBy:
        'The agent, as `code` of the problem document; of a refused enrolment the exact reason begins `detail`. The operator, in the log (`attestation_refused`, `enrolment_refused`). The administrator, among the refused attempts of the device, if its key was proven.',
      entries: [...entriesOf(AGENT_PROBLEMS), ...listEnrolment()],
    },
    {
      title: 'Decisions: /access/v1/evaluation, /access/v1/evaluations, /access/v1/search',
      seenBy:
        'The identity provider: the message is the body of the error. The operator, in the log. Statuses of the codes for any request hold here, too.',
      entries: entriesOf(AUTHZEN_ANSWERS),
    },
    {
      title: 'Reasons of denials',
      seenBy:
        'The identity provider and the person before the device, as `context.reasons[].code` of a decision and its texts; the agent, in `reasons` of an attestation. A clause of the policy has a code and texts of its own.',
      entries: Object.entries(BUILT_IN_TEXTS).map(([code, { en }]) => {
        return { code, cause: `${en.title}.`, change: en.repair }
      }),
    },
    {
      title: 'Undecided clauses',
      seenBy: 'The administrator, in explanations and previews. Such a clause denies.',
      entries: entriesOf(EVALUATION_EXPLANATIONS),
    },
    {
      title: 'Streams of events: /ssf',
      seenBy:
        'The receiver, as `code` of the problem document; `detail` names the member that is wrong.',
      entries: entriesOf(SIGNAL_PROBLEMS),
    },
    {
      title: 'Administration: /v1',
      seenBy: 'The administrator, as `code` of the problem document.',
      entries: entriesOf(ADMIN_PROBLEMS),
    },
    {
      title: 'Relying parties: /v1/status-list, /v1/devices/ID/attestation-result',
      seenBy:
        'The relying party, as `code` of the problem document. The operator, in the log (`control_failed`), where a list could not be made.',
      entries: entriesOf(RELYING_PARTY_PROBLEMS),
    },
    {
      title: 'Sign-ins: /sign-in, /v1/sign-ins',
      seenBy:
        'The person, in words on the page, with the id of the request. The agent, as `code` of the problem document; `detail` names the exact reason.',
      entries: entriesOf(SIGN_IN_PROBLEMS),
    },
    {
      title: 'The console: /console',
      seenBy:
        'The person, in words on the page, with the code and the id of the request. The operator, in the log (`person_refused`) and in the audit (`person.refused`), with what else is known.',
      entries: entriesOf(CONSOLE_ANSWERS),
    },
    {
      title: 'Sign-ins that an identity provider asks for wrongly',
      seenBy:
        'The identity provider, at the beginning of `error_description`; `error` is that of the standard.',
      entries: [...entriesOf(SIGN_IN_ERRORS), ...entriesOf(SIGN_IN_CODE_ANSWERS)],
    },
    {
      title: 'Identity providers: /vendors',
      seenBy:
        'The provider, as `code` of the problem document. The operator, in the log (`vendor_refused`), by the name of the provider and the `request_id`.',
      entries: entriesOf(VENDOR_PROBLEMS),
    },
    {
      title: 'Findings in documents',
      seenBy:
        'The administrator, as `findings[].code` of `document_refused` and of the commands `policy lint` and `policy apply`.',
      entries: entriesOf(LINT_EXPLANATIONS),
    },
    {
      title: 'OAuth endpoints: /oauth',
      seenBy:
        'The client, at the beginning of `error_description`; `error` is that of the standard. Refused proofs are among those of attestations. The operator, in the log (`client_refused`).',
      entries: entriesOf(OAUTH_ANSWERS),
    },
    {
      title: 'Access tokens, wherever they are presented',
      seenBy:
        'The caller, as `error_description` of the header WWW-Authenticate. The operator, in the log (`access_token_refused`).',
      entries: entriesOf(PRESENTED_ANSWERS),
    },
    {
      title: 'Any request',
      seenBy:
        'Whoever asks, in the form of the surface: Azure’s error (`innererror.code`), a problem document (`code`), or a message in JSON. The operator, in the log.',
      entries: [...entriesOf(SHARED_PROBLEMS), { code: 'verifier_busy', ...VERIFIER_BUSY }],
    },
  ]
}

/** Why some reasons are told under one code, by that code. */
export function listCoarseCodes(): Readonly<Record<string, string>> {
  const coarse = Object.entries(COARSE_CODES).map(([code, { why }]) => [code, why])
  const relayed = 'how a provider fails is for the operator, and tells outsiders how it is reached'
  return { ...Object.fromEntries(coarse), provider_unavailable: relayed }
}

type Declared = Explanation & { readonly status?: number }

function entriesOf(declared: Readonly<Record<string, Declared>>): readonly CatalogueEntry[] {
  return Object.entries(declared).map(([code, { status, cause, change }]) => {
    return { code, cause, change, ...(status !== undefined && { status }) }
  })
}

function listEvidence(): readonly CatalogueEntry[] {
  const exact = Object.entries(listAnswers(BUILT_IN_KINDS)).map(([code, answer]) => {
    const { cause, change, coarse } = answer
    const status = statusOfAnswer(answer)
    return { code, cause, change, status, ...(coarse !== undefined && { told: coarse }) }
  })
  return [...exact, ...entriesOf(COARSE_CODES).map((entry) => ({ ...entry, status: 400 }))]
}

function listRelayed(): readonly CatalogueEntry[] {
  const merged = Object.entries(RELAY_REASONS_TOLD).filter(([code, { told }]) => code !== told)
  return [...entriesOf(RELAY_ANSWERS), ...merged.map(([code, answer]) => ({ code, ...answer }))]
}

function listEnrolment(): readonly CatalogueEntry[] {
  return Object.entries(ENROLMENT_ANSWERS).flatMap(([code, { told, cause, change }]) => {
    return code === told ? [] : [{ code, cause, change, status: AGENT_PROBLEMS[told].status, told }]
  })
}
