import type { PageTexts } from '../page-texts.js';

export const italian: PageTexts = {
  title: 'In manutenzione',
  message: 'Il servizio è in manutenzione. Riprova più tardi.',
  readOnlyTitle: 'Per ora in sola lettura',
  readOnlyMessage:
    'Durante la manutenzione il servizio è in sola lettura. La consultazione funziona, le modifiche devono attendere.',
  readOnlyNote:
    'Puoi continuare a leggere. Per ora vengono rifiutate solo le modifiche: ciò che hai appena inviato non è stato salvato e il pulsante Indietro del browser ti riporta lì.',
  expectedEnd: 'Fine prevista',
  timeLeft: 'Tempo rimanente',
  anyMoment: 'a momenti',
  returnsByItself: 'Questa pagina tornerà da sola al termine della manutenzione.',
  tryAgain: 'Riprova',
  continueReading: 'Continua a leggere',
  support: 'Contatta l’assistenza',
  status: 'Stato del servizio',
  endChanged: 'La fine prevista è cambiata.',
  opening: 'Apertura della pagina.',
  acceptedAgain: 'Le modifiche dovrebbero essere di nuovo accettate.',
  unavailable: 'Servizio non disponibile',
};
