import type { PageTexts } from '../page-texts.js';

export const french: PageTexts = {
  title: 'Maintenance en cours',
  message: 'Le service est en maintenance. Veuillez réessayer plus tard.',
  readOnlyTitle: 'Lecture seule pour le moment',
  readOnlyMessage:
    'Le service est en lecture seule pendant la maintenance. La consultation fonctionne, les modifications doivent attendre.',
  readOnlyNote:
    'Vous pouvez continuer à consulter le site. Seules les modifications sont refusées pour le moment : ce que vous venez d’envoyer n’a pas été enregistré, et le bouton Précédent de votre navigateur vous y ramène.',
  expectedEnd: 'Fin prévue',
  timeLeft: 'Temps restant',
  anyMoment: 'd’un instant à l’autre',
  returnsByItself: 'Cette page se rouvrira d’elle-même dès que la maintenance sera terminée.',
  tryAgain: 'Réessayer',
  continueReading: 'Continuer la lecture',
  support: 'Contacter l’assistance',
  status: 'État du service',
  endChanged: 'La fin prévue a changé.',
  opening: 'Ouverture de la page.',
  acceptedAgain: 'Les modifications devraient de nouveau être acceptées.',
  unavailable: 'Service indisponible',
};
