import type { PageTexts } from '../page-texts.js';

export const swedish: PageTexts = {
  title: 'Underhåll pågår',
  message: 'Tjänsten är under underhåll. Försök igen senare.',
  readOnlyTitle: 'Skrivskyddad tills vidare',
  readOnlyMessage: 'Tjänsten är skrivskyddad under underhållet. Det går att läsa, men ändringar får vänta.',
  readOnlyNote:
    'Du kan fortsätta läsa. Just nu avvisas bara ändringar: det du nyss skickade sparades inte, och med webbläsarens bakåtknapp kommer du tillbaka till det.',
  expectedEnd: 'Beräknat slut',
  timeLeft: 'Återstående tid',
  anyMoment: 'när som helst',
  returnsByItself: 'Sidan kommer tillbaka av sig själv när underhållet är klart.',
  tryAgain: 'Försök igen',
  continueReading: 'Fortsätt läsa',
  support: 'Kontakta supporten',
  status: 'Driftstatus',
  endChanged: 'Det beräknade slutet har ändrats.',
  opening: 'Sidan öppnas.',
  acceptedAgain: 'Nu bör ändringar tas emot igen.',
  unavailable: 'Tjänsten är inte tillgänglig',
};
