import type { PageTexts } from '../page-texts.js';

export const norwegian: PageTexts = {
  title: 'Vedlikehold pågår',
  message: 'Tjenesten er under vedlikehold. Prøv igjen senere.',
  readOnlyTitle: 'Skrivebeskyttet inntil videre',
  readOnlyMessage: 'Tjenesten er skrivebeskyttet under vedlikeholdet. Lesing fungerer, endringer må vente.',
  readOnlyNote:
    'Du kan lese videre. Akkurat nå avvises bare endringer: det du nettopp sendte, ble ikke lagret, og nettleserens tilbakeknapp tar deg tilbake til det.',
  expectedEnd: 'Forventet slutt',
  timeLeft: 'Gjenstående tid',
  anyMoment: 'når som helst',
  returnsByItself: 'Siden kommer tilbake av seg selv når vedlikeholdet er ferdig.',
  tryAgain: 'Prøv igjen',
  continueReading: 'Les videre',
  support: 'Kontakt kundestøtte',
  status: 'Driftsstatus',
  endChanged: 'Forventet slutt er endret.',
  opening: 'Siden åpnes.',
  acceptedAgain: 'Endringer skal nå bli tatt imot igjen.',
  unavailable: 'Tjenesten er ikke tilgjengelig',
};
